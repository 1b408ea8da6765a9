#!/bin/sh
# install.sh -- `make check-install`: what make install and make deb give to a stranger's program.
#
# Installs into an empty DESTDIR and into an empty PREFIX under build/, builds tests/outside.c with what pkg-config says and nothing
# else (the shared library: C11, C++11; the archive: C11, once beside shared libraries and once wholly static), runs all of it with the
# installed model, looks at what is exported and what is needed, and removes it again: nothing may be left. `make check-install`
# sets MAKE CC BUILD SO VERSION.
work=$PWD/$BUILD/install
case $BUILD in /*) work=$BUILD/install ;; esac
rm -rf "$work" && mkdir -p "$work" || exit 1
failed=0 passed=0 skipped=0

# ok NAME STATUS: counts; what went wrong is in $work/log.
ok() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1"
        sed 's/^/    /' "$work/log" | head -20
    fi
    : >"$work/log"
}
skip() { skipped=$((skipped + 1)); echo "skipped $1"; }

# same NAME WANTED GOT: two texts.
same() {
    printf '%s\n' "$2" >"$work/wanted"
    printf '%s\n' "$3" >"$work/got"
    diff -u "$work/wanted" "$work/got" >"$work/log"
    ok "$1" $?
}

# program NAME ROOT LANGUAGE FLAGS... -- builds tests/outside.c and runs it: 20 tokens of text, the same from every program.
program() {
    name=$1 root=$2 language=$3
    shift 3
    # shellcheck disable=SC2086
    $CC -x ${language% *} -std=${language#* } -Wall -Wextra -pedantic -Werror tests/outside.c -x none "$@" -o "$work/$name" >"$work/log" 2>&1
    ok "$name: builds" $?
    LD_LIBRARY_PATH=$root/lib "$work/$name" "$root/share/libslm/tiny-stories/tiny-stories.gguf" >"$work/out" 2>"$work/log"
    ok "$name: runs" $?
    text=$(cat "$work/out")
    [ -n "$first" ] || first=$text
    same "$name: text" "$first" "$text"
}
needed() { objdump -p "$1" | awk '/NEEDED/ { sub(/\.so.*/, "", $2); print $2 }' | grep -v '^ld-linux' | sort | paste -sd' '; }
pc() { pkg-config "$@" 2>>"$work/log"; }
# left ROOT: files, and folders of ours, that are still there
left() { find "$1" ! -type d; find "$1" -type d -name '*libslm*'; }

# ---- a PREFIX: an installation as it will be used --------------------------------------------------------------------------
root=$work/prefix
$MAKE install BUILD="$BUILD" CC="$CC" PREFIX="$root" DESTDIR= >"$work/log" 2>&1
ok "install PREFIX" $?
export PKG_CONFIG_PATH="$root/lib/pkgconfig" PKG_CONFIG_LIBDIR=/nonexistent     # and no other .pc, so none is needed
same "slm.pc: version" "$VERSION" "$(pc --modversion slm)"
omp=$(nm "$root/lib/libslm.a" 2>/dev/null | sed -n 's/.* U GOMP_.*/libgomp/p; s/.* U __kmpc_.*/libomp/p' | sort -u)

# Hardening: what can be seen of it from outside.
for f in bin/slm lib/$SO; do
    readelf -dlW "$root/$f" >"$work/elf" 2>"$work/log"
    same "$f: read-only after relocation, no executable stack" "NOW RELRO RW" "$(grep -q 'FLAGS_1.*NOW' "$work/elf" && printf 'NOW ')$(grep -q GNU_RELRO "$work/elf" && printf 'RELRO ')$(awk '/GNU_STACK/ { print $7 }' "$work/elf")"
    same "$f: stack protector, checked calls" "__stack_chk_fail yes" "$(nm -D --undefined-only "$root/$f" | grep -o '__stack_chk_fail') $(nm -D --undefined-only "$root/$f" | grep -q '_chk\(@.*\)*$' && echo yes)"
done
same "bin/slm: position-independent" "PIE" "$(readelf -dW "$root/bin/slm" | grep -o 'PIE$')"

if [ -f "$root/share/libslm/tiny-stories/tiny-stories.gguf" ]; then
    program shared-c11   "$root" "c c11"     $(pc --cflags --libs slm)
    program shared-c++11 "$root" "c++ c++11" $(pc --cflags --libs slm)
    program archive-c11  "$root" "c c11"     $(pc --static --define-variable=library=-l:libslm.a --cflags --libs slm)
    program archive-c++11 "$root" "c++ c++11" $(pc --static --define-variable=library=-l:libslm.a --cflags --libs slm)
    same "shared: needs"    "libc libslm"                               "$(needed "$work/shared-c11")"
    same "archive: needs"   "$(printf '%s\n' libc libm libutf8proc $omp | sort | paste -sd' ')" "$(needed "$work/archive-c11")"
    same "archive: nothing of libslm is open" "" "$(nm -D --undefined-only "$work/archive-c11" | grep 'slm_')"
    # Everything in one file: where the compiler's OpenMP comes as an archive too.
    if [ -z "$omp" ] || [ -f "$($CC -print-file-name=$omp.a)" ]; then
        program static-c11 "$root" "c c11" -static $(pc --static --cflags --libs slm)
        same "static: needs" "" "$(needed "$work/static-c11")"
    else
        skip "static: $CC has no $omp.a"
    fi
    # Hostile files, opened by a program of the embedder's on the build that he ships.
    $MAKE install-tests BUILD="$BUILD" CC="$CC" PREFIX="$root" DESTDIR= >"$work/log" 2>&1
    ok "install-tests" $?
    # shellcheck disable=SC2046
    $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror "$root/share/libslm/tests/try.c" $(pc --cflags --libs slm) -o "$work/try" >"$work/log" 2>&1
    ok "try.c: builds" $?
    LD_LIBRARY_PATH=$root/lib "$work/try" "$root/share/libslm/tests/files" >"$work/log" 2>&1
    ok "try.c: no finding in $(ls "$root/share/libslm/tests/files" | wc -l) hostile files" $?
    # The remote library: a program that answers from here, and says what goes wrong with a server that is not there.
    for kind in shared archive; do
        [ $kind = shared ] && flags=$(pc --cflags --libs slm_remote) ||
            flags=$(pc --static --define-variable=library=-l:libslm.a --define-variable=remote=-l:libslm_remote.a --cflags --libs slm_remote)
        # shellcheck disable=SC2086
        $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror examples/remote.c $flags -o "$work/remote-$kind" >"$work/log" 2>&1
        ok "remote $kind: builds" $?
        LD_LIBRARY_PATH=$root/lib "$work/remote-$kind" here "$root/share/libslm/tiny-stories/tiny-stories.gguf" "Once upon a time" >"$work/out" 2>"$work/log"
        ok "remote $kind: answers from here" $?
        same "remote $kind: nothing is there" "remote: SLM_E_NETWORK" \
             "$(LD_LIBRARY_PATH=$root/lib "$work/remote-$kind" http://127.0.0.1:1/v1 m x 2>&1 | sed 's/:[^:]*: NET_CONNECT.*//')"
    done
    same "remote shared: needs" "libc libslm libslm_remote" "$(needed "$work/remote-shared")"
    same "remote archive: needs" "$(printf '%s\n' libc libcurl libjansson libm libutf8proc $omp | sort | paste -sd' ')" "$(needed "$work/remote-archive")"
    (cd / && "$root/bin/slm" generate -q -p "Once upon a time" --temp 0 -n 20) >"$work/out" 2>"$work/log"
    ok "slm: runs from anywhere with its model" $?
    same "slm: text" "$first" "$(cat "$work/out")"
else
    skip "running: models/tiny-stories is not in this checkout"
fi
same "slm: version" "slm $VERSION" "$("$root/bin/slm" --version)"
sed -n 's/^| `\(slm_[a-z0-9_]*\)`.*/\1/p' docs/abi.md | sort >"$work/listed"
same "nm -D $SO: docs/abi.md" "$(cat "$work/listed")" "$(nm -D --defined-only "$root/lib/$SO" | awk '{ print $3 }' | sort)"
same "soname" "$SO" "$(objdump -p "$root/lib/$SO" | awk '/SONAME/ { print $2 }')"
same "soname: link" "$SO" "$(readlink "$root/lib/libslm.so")"
sed -n 's/^| libslm_remote | `\(slm_[a-z0-9_]*\)`.*/\1/p' docs/abi.md | sort >"$work/listed"
remote=$(readlink "$root/lib/libslm_remote.so")
same "nm -D $remote: docs/abi.md" "$(cat "$work/listed")" "$(nm -D --defined-only "$root/lib/$remote" | awk '{ print $3 }' | sort)"
same "soname of the remote library" "$remote" "$(objdump -p "$root/lib/$remote" | awk '/SONAME/ { print $2 }')"
same "nm -u libslm.a: no network" "" "$(nm -u "$root/lib/libslm.a" 2>/dev/null | grep -wE '(curl|json|SSL|sqlite3)_[a-z_]*|socket|connect|getaddrinfo' | head)"

if command -v man >/dev/null; then
    MANWIDTH=100 man --warnings -l "$root/share/man/man1/slm.1" >"$work/page" 2>"$work/log"
    [ ! -s "$work/log" ] && grep -q 'likeliest' "$work/page"
    ok "man page" $?
else
    skip "man page: no man"
fi
for s in bash:bash-completion/completions/slm zsh:zsh/site-functions/_slm fish:fish/vendor_completions.d/slm.fish; do
    if command -v "${s%%:*}" >/dev/null; then
        "${s%%:*}" -n "$root/share/${s#*:}" >"$work/log" 2>&1
        ok "completion: ${s%%:*}" $?
    else
        skip "completion: no ${s%%:*}"
    fi
done
$MAKE uninstall BUILD="$BUILD" PREFIX="$root" DESTDIR= >"$work/log" 2>&1
ok "uninstall PREFIX" $?
same "uninstall PREFIX: left" "" "$(left "$root")"

# ---- a DESTDIR: a tree that a package is made of; LIBDIR of its own ----------------------------------------------------------
root=$work/dest
$MAKE install BUILD="$BUILD" CC="$CC" DESTDIR="$root" PREFIX=/opt/slm LIBDIR=/opt/slm/lib/here >"$work/log" 2>&1
ok "install DESTDIR" $?
same "DESTDIR: nothing beside the prefix" opt "$(ls "$root")"
same "DESTDIR: not named in a text" "" "$(grep -rIl "$work" "$root" | head)"
export PKG_CONFIG_PATH="$root/opt/slm/lib/here/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
same "slm.pc: folders" "-I$root/opt/slm/include -L$root/opt/slm/lib/here -lslm" "$(pc --cflags --libs slm | sed 's/ *$//')"
$CC -std=c11 tests/outside.c $(pc --cflags --libs slm) -o "$work/sysroot" >"$work/log" 2>&1
ok "DESTDIR: builds" $?
unset PKG_CONFIG_SYSROOT_DIR
$MAKE uninstall BUILD="$BUILD" DESTDIR="$root" PREFIX=/opt/slm LIBDIR=/opt/slm/lib/here >"$work/log" 2>&1
ok "uninstall DESTDIR" $?
same "uninstall DESTDIR: left" "" "$(left "$root")"
$MAKE install BUILD="$BUILD" CC="$CC" PREFIX=relative >"$work/log" 2>&1
[ $? != 0 ] && grep -q 'must begin with /' "$work/log" && [ ! -e relative ]
ok "a relative PREFIX is refused" $?

# ---- the package ------------------------------------------------------------------------------------------------------------
if command -v dpkg-deb >/dev/null; then
    $MAKE deb BUILD="$BUILD" CC="$CC" >"$work/log" 2>&1
    ok "deb" $?
    deb=$(ls "$BUILD"/libslm_"$VERSION"_*.deb)
    same "deb: version" "$VERSION" "$(dpkg-deb -f "$deb" Version)"
    same "deb: depends" "$(printf '%s\n' libc6 $omp libcurl4 libedit2 libjansson4 libutf8proc2 | sort | paste -sd' ')" \
         "$(dpkg-deb -f "$deb" Depends | sed "s/([^)]*)//g; s/,/ /g; s/${omp:-libgomp}[-0-9]*/$omp/" | tr -s ' ' '\n' | sort | paste -sd' ')"
    dpkg-deb -x "$deb" "$work/deb" && (cd "$work/deb" && md5sum --quiet -c) <<END >"$work/log" 2>&1
$(dpkg-deb -I "$deb" md5sums)
END
    ok "deb: every file is what md5sums says" $?
    same "deb: slm" "slm $VERSION" "$("$work/deb/usr/bin/slm" --version)"
    if [ -n "$first" ]; then
        same "deb: text" "$first" "$("$work/deb/usr/bin/slm" generate -q -p "Once upon a time" --temp 0 -n 20 2>&1)"
    fi
else
    skip "deb: no dpkg-deb"
fi
echo "install: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
