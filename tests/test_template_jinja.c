/* test_template_jinja.c -- the template language beside Jinja2 3.1.6, row by row: every filter, method, test and statement with right and
 * with wrong arguments. What must come out was rendered by Jinja2 itself, in the setting that ../shared/tokenizers/README.md names. What
 * must be refused is refused by Jinja2 too, unless the status says that it is more than this library does: then nothing else may come out.
 *
 * Each row runs a second time with each amount of fuel that is too little, and a third time with each allocation refused. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include <stdio.h>

static const char conversation[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Yo\"}],"
    "\"bos_token\":\"<s>\",\"eos_token\":null,\"extra\":{\"i\":5,\"f\":1.5,\"s\":\"h\303\251llo w\303\266rld\",\"t\":true,\"x\":null,\"l\":[3,1,2],"
    "\"m\":{\"a\":1,\"b\":[1,{\"c\":null}],\"items\":\"X\"},\"big\":123456789012345678901234567890,\"q\":\"it's\",\"e\":1e-7,\"em\":[],"
    "\"objs\":[{\"n\":\"b\",\"v\":2},{\"n\":\"A\",\"v\":1}]}}";

static const struct { const char *source, *want; } renders[] = {
    { "{{ 1.0 // 0.1 }}", "9.0" }, { "{{ -4.0 % 2.0 }}", "0.0" }, { "{{ 7.5 // 2 }}", "3.0" }, { "{{ -7.5 // 2 }}", "-4.0" },
    { "{{ 7.5 % 2 }}", "1.5" }, { "{{ -7.5 % 2 }}", "0.5" }, { "{{ 7.5 % -2 }}", "-0.5" }, { "{{ 2 ** -1 }}", "0.5" }, { "{{ 2.0 ** 3 }}", "8.0" },
    { "{{ 0 ** 0 }}", "1" }, { "{{ 0 ** 99 }}", "0" }, { "{{ (-1) ** 99 }}", "-1" }, { "{{ (-1) ** 98 }}", "1" }, { "{{ 1 ** 99 }}", "1" },
    { "{{ (-2) ** 63 }}", "-9223372036854775808" }, { "{{ 2 ** 62 }}", "4611686018427387904" }, { "{{ 1.5 - 0.5 }}", "1.0" },
    { "{{ 7 % -3 }}", "-2" }, { "{{ -9223372036854775807 - 1 }}", "-9223372036854775808" }, { "{{ (-9223372036854775807 - 1) % -1 }}", "0" },
    { "{{ -f }}", "-1.5" }, { "{{ +f }}", "1.5" }, { "{{ +i }}", "5" }, { "{{ +t }}", "1" }, { "{{ -t }}", "-1" }, { "{{ 2 * 'ab' }}", "abab" },
    { "{{ 2 * [1, 2] }}", "[1, 2, 1, 2]" }, { "{{ 'ab' * 0 }}", "" }, { "{{ 'ab' * -1 }}", "" }, { "{{ [] * 5 }}", "[]" },
    { "{{ (1, 2) * 2 }}", "(1, 2, 1, 2)" }, { "{{ (1,) + (2,) }}", "(1, 2)" }, { "{{ [] + [1] }}", "[1]" }, { "{{ [1] + [] }}", "[1]" },
    { "{{ f < i }}", "True" }, { "{{ 'a' < 'b' }}", "True" }, { "{{ 'a' <= 'a' }}", "True" }, { "{{ 'b' > 'a' }}", "True" },
    { "{{ 'b' >= 'c' }}", "False" }, { "{{ i != 5 }}", "False" }, { "{{ 'a' not in 'b' }}", "True" }, { "{{ 'h' in s }}", "True" },
    { "{{ s in 'h' }}", "False" }, { "{{ 1 in l }}", "True" }, { "{{ 9 in l }}", "False" }, { "{{ none in [none] }}", "True" },
    { "{{ 'a' in m }}", "True" }, { "{{ 1 in m }}", "False" }, { "{{ l[0.5] }}", "" }, { "{{ l['a'] }}", "" }, { "{{ l[true] }}", "1" },
    { "{{ l[::2] }}", "[3, 2]" }, { "{{ l[::-2] }}", "[2, 3]" }, { "{{ l[5:1:-1] }}", "[2]" }, { "{{ l[-1:-9:-1] }}", "[2, 1, 3]" },
    { "{{ l[2:0:-1] }}", "[2, 1]" }, { "{{ l[0:2:-1] }}", "[]" }, { "{{ l[-9:9] }}", "[3, 1, 2]" }, { "{{ l[9:] }}", "[]" },
    { "{{ (1, 2, 3)[::2] }}", "(1, 3)" }, { "{{ (1, 2, 3)[1:] }}", "(2, 3)" }, { "{{ s[::2] }}", "hlowrd" }, { "{{ s[3:1] }}", "" },
    { "{{ s[-3:] }}", "rld" }, { "{{ s[:-3] }}", "h\303\251llo w\303\266" }, { "{{ s[5:2:-1] }}", " ol" }, { "{{ s[100:] }}", "" },
    { "{{ s[:100] }}", "h\303\251llo w\303\266rld" }, { "{{ m[1] }}", "" }, { "{{ m[none] }}", "" }, { "{{ 'abc'[1] }}", "b" },
    { "{{ 'abc'[-4] }}", "" }, { "{{ 'abc'.x }}", "" }, { "{{ 'abc'[x] }}", "" }, { "{{ i.x }}", "" }, { "{{ x.y }}", "" }, { "{{ f.y }}", "" },
    { "{{ l.x }}", "" }, { "{{ l[-9] }}", "" }, { "{{ l[1][2] }}", "" }, { "{{ m.b[1]['c'] }}", "None" }, { "{{ zz }}", "" },
    { "{{ '' | default }}", "" }, { "{{ zz | default }}", "" }, { "{{ x | default(1) }}", "None" }, { "{{ x | default(1, true) }}", "1" },
    { "{{ x | d(1, boolean=true) }}", "1" }, { "{{ zz | d }}", "" }, { "{{ '5' | int }}", "5" }, { "{{ ' 5 ' | int }}", "5" },
    { "{{ '+5' | int }}", "5" }, { "{{ '-5' | int }}", "-5" }, { "{{ '5.9' | int }}", "5" }, { "{{ 'abc' | int }}", "0" },
    { "{{ 'abc' | int(7) }}", "7" }, { "{{ 'abc' | int(default=8) }}", "8" }, { "{{ 5.9 | int }}", "5" }, { "{{ -5.9 | int }}", "-5" },
    { "{{ t | int }}", "1" }, { "{{ x | int }}", "0" }, { "{{ l | int }}", "0" }, { "{{ '1e3' | int }}", "1000" }, { "{{ '0x1f' | int }}", "0" },
    { "{{ '1 2' | int }}", "0" }, { "{{ '' | int }}", "0" }, { "{{ '1.5' | float }}", "1.5" }, { "{{ 'x' | float }}", "0.0" },
    { "{{ 'x' | float(2.5) }}", "2.5" }, { "{{ l | float }}", "0.0" }, { "{{ 3 | float }}", "3.0" }, { "{{ '-3' | float }}", "-3.0" },
    { "{{ x | float }}", "0.0" }, { "{{ -3 | abs }}", "3" }, { "{{ -3.5 | abs }}", "3.5" }, { "{{ 2.5 | round }}", "2.0" },
    { "{{ 3.5 | round }}", "4.0" }, { "{{ -2.5 | round }}", "-2.0" }, { "{{ 42 | round }}", "42" }, { "{{ 42 | round(0) }}", "42" },
    { "{{ f | string }}", "1.5" }, { "{{ m | string }}", "{'a': 1, 'b': [1, {'c': None}], 'items': 'X'}" }, { "{{ x | string }}", "None" },
    { "{{ 'a' | safe }}", "a" }, { "{{ 1 | safe }}", "1" }, { "{{ zz | string }}", "" },
    { "{{ s | tojson(ensure_ascii=true) }}", "\"h\\u00e9llo w\\u00f6rld\"" },
    { "{{ '\360\235\204\236' | tojson(ensure_ascii=true) }}", "\"\\ud834\\udd1e\"" },
    { "{{ [1, [2, []], {}] | tojson(indent=2) }}", "[\n  1,\n  [\n    2,\n    []\n  ],\n  {}\n]" },
    { "{{ m | tojson(indent=-1) }}", "{\n\"a\": 1,\n\"b\": [\n1,\n{\n\"c\": null\n}\n],\n\"items\": \"X\"\n}" },
    { "{{ m | tojson(indent=0) }}", "{\n\"a\": 1,\n\"b\": [\n1,\n{\n\"c\": null\n}\n],\n\"items\": \"X\"\n}" },
    { "{{ m | tojson(indent=none) }}", "{\"a\": 1, \"b\": [1, {\"c\": null}], \"items\": \"X\"}" },
    { "{{ m | tojson(separators=none) }}", "{\"a\": 1, \"b\": [1, {\"c\": null}], \"items\": \"X\"}" },
    { "{{ m | tojson(separators=('', ':')) }}", "{\"a\":1\"b\":[1{\"c\":null}]\"items\":\"X\"}" }, { "{{ (1, 2) | tojson }}", "[1, 2]" },
    { "{{ e | tojson }}", "1e-07" }, { "{{ big | tojson }}", "123456789012345678901234567890" }, { "{{ 1e22 | tojson }}", "1e+22" },
    { "{{ 'a\"b\\\\c\\n\\t\\r\\b\\f\\x01/' | tojson }}", "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001/\"" }, { "{{ f | tojson }}", "1.5" },
    { "{{ x | tojson }}", "null" }, { "{{ t | tojson }}", "true" },
    { "{{ m | items | list }}", "[('a', 1), ('b', [1, {'c': None}]), ('items', 'X')]" }, { "{{ zz | items | list }}", "[]" },
    { "{{ m.keys() | list }}", "['a', 'b', 'items']" }, { "{{ m.values() | list }}", "[1, [1, {'c': None}], 'X']" }, { "{{ m.get('a') }}", "1" },
    { "{{ m.get('zz') }}", "None" }, { "{{ m.get('zz', 7) }}", "7" }, { "{{ m.get(1) }}", "None" }, { "{{ m.get(1, 2) }}", "2" },
    { "{{ m.copy() }}", "{'a': 1, 'b': [1, {'c': None}], 'items': 'X'}" }, { "{{ l.copy() }}", "[3, 1, 2]" }, { "{{ l.count(1) }}", "1" },
    { "{{ [1, 1, true, 'a', [1]].count(1) }}", "3" }, { "{{ [1, 1].count([1]) }}", "0" }, { "{{ l | length }}", "3" }, { "{{ m | length }}", "3" },
    { "{{ m | count }}", "3" }, { "{{ (1, 2) | length }}", "2" }, { "{{ 'h\303\251y' | list }}", "['h', '\303\251', 'y']" },
    { "{{ m | list }}", "['a', 'b', 'items']" }, { "{{ zz | list }}", "[]" }, { "{{ em | first }}", "" }, { "{{ em | last }}", "" },
    { "{{ l | last }}", "2" }, { "{{ 'abc' | first }}", "a" }, { "{{ 'abc' | last }}", "c" }, { "{{ m | first }}", "a" },
    { "{{ l | reverse | list }}", "[2, 1, 3]" }, { "{{ 'h\303\251llo' | reverse }}", "oll\303\251h" }, { "{{ '' | reverse }}", "" },
    { "{{ em | reverse | list }}", "[]" }, { "{{ m | reverse | list }}", "['items', 'b', 'a']" }, { "{{ l | join }}", "312" },
    { "{{ l | join('-') }}", "3-1-2" }, { "{{ l | join(1) }}", "31112" }, { "{{ objs | join(',', attribute='n') }}", "b,A" },
    { "{{ objs | join(',', attribute='zz') }}", "," }, { "{{ objs | join(attribute='n', d='+') }}", "b+A" },
    { "{{ m | join(',') }}", "a,b,items" }, { "{{ l | join(',', none) }}", "3,1,2" }, { "{{ ['a', x, 1.5] | join('|') }}", "a|None|1.5" },
    { "{{ 'abc' | join('-') }}", "a-b-c" }, { "{{ objs | map(attribute='v') | list }}", "[2, 1]" },
    { "{{ objs | map(attribute='zz') | list }}", "[Undefined, Undefined]" }, { "{{ objs | map(attribute='zz', default=0) | list }}", "[0, 0]" },
    { "{{ [[1, 2], [3, 4]] | map(attribute=1) | list }}", "[2, 4]" }, { "{{ [[1, 2], [3, 4]] | map(attribute='1') | list }}", "[2, 4]" },
    { "{{ [{'a': {'b': [7, 8]}}] | map(attribute='a.b.1') | list }}", "[8]" },
    { "{{ [{'a': {'1x': 5}}] | map(attribute='a.1x') | list }}", "[5]" }, { "{{ [{'': {'': 5}}] | map(attribute='.') | list }}", "[5]" },
    { "{{ l | map('string') | list }}", "['3', '1', '2']" }, { "{{ ['a', 'b'] | map('upper') | list }}", "['A', 'B']" },
    { "{{ ['a', 'b'] | map('default', 'c') | list }}", "['a', 'b']" }, { "{{ l | sort }}", "[1, 2, 3]" }, { "{{ l | sort(true) }}", "[3, 2, 1]" },
    { "{{ ['b', 'A', 'c'] | sort }}", "['A', 'b', 'c']" }, { "{{ ['b', 'A', 'c'] | sort(case_sensitive=true) }}", "['A', 'b', 'c']" },
    { "{{ ['b', 'A', 'c'] | sort(true, true) }}", "['c', 'b', 'A']" },
    { "{{ ['b', 'A', 'c'] | sort(reverse=true, case_sensitive=false) }}", "['c', 'b', 'A']" },
    { "{{ [3, 1.5, 2, true] | sort }}", "[True, 1.5, 2, 3]" }, { "{{ em | sort }}", "[]" }, { "{{ [5] | sort }}", "[5]" },
    { "{{ objs | sort(attribute='v') }}", "[{'n': 'A', 'v': 1}, {'n': 'b', 'v': 2}]" },
    { "{{ objs | sort(attribute='n', case_sensitive=true) }}", "[{'n': 'A', 'v': 1}, {'n': 'b', 'v': 2}]" },
    { "{{ objs | sort(attribute='v', reverse=true) | map(attribute='v') | list }}", "[2, 1]" },
    { "{{ [[2, 'a'], [1, 'b'], [2, 'A'], [1, 'c'], [0, 'd']] | sort(attribute=0) }}", "[[0, 'd'], [1, 'b'], [1, 'c'], [2, 'a'], [2, 'A']]" },
    { "{{ [[2, 'a'], [1, 'b'], [2, 'A'], [1, 'c'], [0, 'd']] | sort(attribute=0, reverse=true) }}", "[[2, 'a'], [2, 'A'], [1, 'b'], [1, 'c'], [0, 'd']]" },
    { "{{ {'b': 1, 'a': 2} | dictsort }}", "[('a', 2), ('b', 1)]" }, { "{{ {'b': 1, 'a': 2} | dictsort(by='value') }}", "[('b', 1), ('a', 2)]" },
    { "{{ {'b': 1, 'a': 2} | dictsort(false, 'value', true) }}", "[('a', 2), ('b', 1)]" },
    { "{{ {'b': 1, 'A': 2} | dictsort(true) }}", "[('A', 2), ('b', 1)]" },
    { "{{ {'b': 1, 'A': 2} | dictsort(case_sensitive=true, reverse=true) }}", "[('b', 1), ('A', 2)]" },
    { "{{ ['a', 'A', 'b', 'a'] | unique | list }}", "['a', 'b']" }, { "{{ ['a', 'A', 'b', 'a'] | unique(true) | list }}", "['a', 'A', 'b']" },
    { "{{ ['a', 'A', 'b', 'a'] | unique(case_sensitive=false) | list }}", "['a', 'b']" },
    { "{{ objs | unique(attribute='v') | list | length }}", "2" }, { "{{ [1, true, 1.0, 2] | unique | list }}", "[1, 2]" },
    { "{{ l | min }}", "1" }, { "{{ l | max }}", "3" }, { "{{ ['b', 'A'] | min }}", "A" }, { "{{ ['b', 'A'] | max }}", "b" },
    { "{{ ['b', 'A'] | min(case_sensitive=true) }}", "A" }, { "{{ ['b', 'A'] | min(true) }}", "A" },
    { "{{ objs | max(attribute='v') }}", "{'n': 'b', 'v': 2}" }, { "{{ objs | min(attribute='n') }}", "{'n': 'A', 'v': 1}" },
    { "{{ em | min }}", "" }, { "{{ em | max }}", "" }, { "{{ [5, 5.0, 5] | max }}", "5" }, { "{{ l | sum }}", "6" },
    { "{{ [1.5, 2] | sum }}", "3.5" }, { "{{ em | sum }}", "0" }, { "{{ objs | sum(attribute='v') }}", "3" },
    { "{{ l | select | list }}", "[3, 1, 2]" }, { "{{ [0, 1, '', none] | select | list }}", "[1]" },
    { "{{ [0, 1, '', none] | reject | list }}", "[0, '', None]" }, { "{{ l | select('odd') | list }}", "[3, 1]" },
    { "{{ l | select('gt', 1) | list }}", "[3, 2]" }, { "{{ l | reject('lt', 2) | list }}", "[3, 2]" },
    { "{{ objs | selectattr('v') | list | length }}", "2" }, { "{{ objs | selectattr('zz') | list }}", "[]" },
    { "{{ objs | rejectattr('zz') | list | length }}", "2" }, { "{{ objs | selectattr('v', 'gt', 1) | map(attribute='n') | list }}", "['b']" },
    { "{{ objs | rejectattr('v', 'gt', 1) | map(attribute='n') | list }}", "['A']" }, { "{{ objs | selectattr('zz', 'defined') | list }}", "[]" },
    { "{{ objs | rejectattr('n', 'in', ['b']) | map(attribute='n') | list }}", "['A']" }, { "{{ objs | selectattr(5) | list }}", "[]" },
    { "{{ objs | selectattr(true) | list }}", "[]" }, { "{{ 'abc' | upper }}", "ABC" }, { "{{ 'ABC' | lower }}", "abc" },
    { "{{ x | upper }}", "NONE" }, { "{{ 5 | upper }}", "5" },
    { "{{ 'hello world-foo (bar) [x] {y} <z>' | title }}", "Hello World-Foo (Bar) [X] {Y} <Z>" },
    { "{{ 'hello wORLD' | capitalize }}", "Hello world" }, { "{{ '\303\237' | capitalize }}", "Ss" },
    { "{{ 'stra\303\237e' | upper }}", "STRASSE" }, { "{{ '\303\237a' | title }}", "SSa" }, { "{{ '\303\237a'.title() }}", "Ssa" },
    { "{{ \"they're bill's\".title() }}", "They'Re Bill'S" }, { "{{ \"they're bill's\" | title }}", "They're Bill's" }, { "{{ '' | title }}", "" },
    { "{{ 'a1b2'.title() }}", "A1B2" }, { "{{ '  a ' | trim }}", "a" }, { "{{ 'xxaxx' | trim('x') }}", "a" },
    { "{{ 'xxaxx' | trim(none) }}", "xxaxx" }, { "{{ 'xyaxy' | trim('yx') }}", "a" }, { "{{ 5 | trim }}", "5" }, { "{{ zz | trim }}", "" },
    { "{{ ' a '.strip(none) }}", "a" }, { "{{ 'aXbXc' | replace('X', '-') }}", "a-b-c" }, { "{{ 'aXbXc' | replace('X', '-', 1) }}", "a-bXc" },
    { "{{ 'aXbXc' | replace('X', '-', count=0) }}", "aXbXc" }, { "{{ 5 | replace(5, 6) }}", "6" }, { "{{ 'aaa' | replace('a', 5) }}", "555" },
    { "{{ ''.replace('', 'x') }}", "x" }, { "{{ 'h\303\251y'.replace('', '.') }}", ".h.\303\251.y." },
    { "{{ 'h\303\251y'.replace('', '.', 2) }}", ".h.\303\251y" }, { "{{ 'abab'.replace('ab', '') }}", "" },
    { "{{ 'abc'.replace('abcd', '') }}", "abc" }, { "{{ 'a\\nb\\n\\nc' | indent }}", "a\n    b\n\n    c" },
    { "{{ 'a\\nb\\n\\nc' | indent(2) }}", "a\n  b\n\n  c" }, { "{{ 'a\\nb\\n\\nc' | indent(2, true) }}", "  a\n  b\n\n  c" },
    { "{{ 'a\\nb\\n\\nc' | indent(2, false, true) }}", "a\n  b\n  \n  c" }, { "{{ 'a\\nb\\n\\nc' | indent(2, blank=true) }}", "a\n  b\n  \n  c" },
    { "{{ 'a\\nb\\n\\nc' | indent('>>') }}", "a\n>>b\n\n>>c" },
    { "{{ 'a\\nb\\n\\nc' | indent(width='>>', first=true, blank=true) }}", ">>a\n>>b\n>>\n>>c" }, { "{{ 'a\\nb\\n' | indent }}", "a\n    b\n" },
    { "{{ '' | indent(2, true) }}", "  " }, { "{{ 'a\\nb' | indent(0) }}", "a\nb" }, { "{{ 'a\\nb' | indent(-3) }}", "a\nb" },
    { "{{ 'a,b,,c'.split(',') }}", "['a', 'b', '', 'c']" }, { "{{ 'a,b,,c'.split(',', 2) }}", "['a', 'b', ',c']" },
    { "{{ 'a,b,,c'.split(',', 0) }}", "['a,b,,c']" }, { "{{ 'a,b,,c'.split(sep=',', maxsplit=1) }}", "['a', 'b,,c']" },
    { "{{ ' a  b c '.split(none, 1) }}", "['a', 'b c ']" }, { "{{ ' a  b c '.split(maxsplit=0) }}", "['a  b c ']" }, { "{{ ''.split() }}", "[]" },
    { "{{ ''.split(',') }}", "['']" }, { "{{ '  '.split() }}", "[]" }, { "{{ 'a,b,c'.rsplit(',', 1) }}", "['a,b', 'c']" },
    { "{{ 'abc'.rsplit(',', 1) }}", "['abc']" }, { "{{ 'a,b,c'.rsplit(',') }}", "['a', 'b', 'c']" }, { "{{ 'a,b,c'.rsplit() }}", "['a,b,c']" },
    { "{{ 'abc'.rsplit('abcd', 1) }}", "['abc']" }, { "{{ 'a\\nb\\r\\nc\\rd\\n'.splitlines() }}", "['a', 'b', 'c', 'd']" },
    { "{{ 'a\\n\\nb'.splitlines() }}", "['a', '', 'b']" }, { "{{ ''.splitlines() }}", "[]" }, { "{{ 'a\\r'.splitlines() }}", "['a']" },
    { "{{ 'abc'.startswith('ab') }}", "True" }, { "{{ 'abc'.startswith('') }}", "True" }, { "{{ 'abc'.startswith('abcd') }}", "False" },
    { "{{ 'abc'.startswith(('x', 'a')) }}", "True" }, { "{{ 'abc'.startswith(()) }}", "False" }, { "{{ 'abc'.endswith('bc') }}", "True" },
    { "{{ 'abc'.removeprefix('ab') }}", "c" }, { "{{ 'abc'.removeprefix('x') }}", "abc" }, { "{{ 'abc'.removesuffix('bc') }}", "a" },
    { "{{ 'abc'.removesuffix('x') }}", "abc" }, { "{{ ','.join(['a', 'b']) }}", "a,b" }, { "{{ ','.join([]) }}", "" },
    { "{{ ','.join('abc') }}", "a,b,c" }, { "{{ ','.join(m) }}", "a,b,items" }, { "{{ 'abc'.find('c') }}", "2" },
    { "{{ 'abc'.find('x') }}", "-1" }, { "{{ 'h\303\251c'.find('c') }}", "2" }, { "{{ 'abc'.find('') }}", "0" },
    { "{{ 'abcabc'.count('bc') }}", "2" }, { "{{ 'aaa'.count('aa') }}", "1" }, { "{{ 'h\303\251y'.count('') }}", "4" },
    { "{{ 'ABC'.lower() }}", "abc" }, { "{{ 'aBC'.capitalize() }}", "Abc" }, { "{{ '12'.isdigit() }}", "True" },
    { "{{ '1a'.isdigit() }}", "False" }, { "{{ ''.isdigit() }}", "False" }, { "{{ '\331\243'.isdigit() }}", "True" },
    { "{{ 'ab'.isalpha() }}", "True" }, { "{{ 'a1'.isalpha() }}", "False" }, { "{{ '\303\251'.isalpha() }}", "True" },
    { "{{ 'a1'.isalnum() }}", "True" }, { "{{ 'a-'.isalnum() }}", "False" }, { "{{ ' \\t'.isspace() }}", "True" },
    { "{{ ' a'.isspace() }}", "False" }, { "{{ ''.isspace() }}", "False" }, { "{{ t is boolean }}", "True" }, { "{{ 1 is boolean }}", "False" },
    { "{{ f is float }}", "True" }, { "{{ 1 is float }}", "False" }, { "{{ 1 is integer }}", "True" }, { "{{ t is integer }}", "False" },
    { "{{ big is integer }}", "True" }, { "{{ big is number }}", "True" }, { "{{ f is number }}", "True" }, { "{{ t is number }}", "True" },
    { "{{ '1' is number }}", "False" }, { "{{ x is none }}", "True" }, { "{{ t is true }}", "True" }, { "{{ 1 is true }}", "False" },
    { "{{ false is false }}", "True" }, { "{{ 0 is false }}", "False" }, { "{{ t is false }}", "False" }, { "{{ none is false }}", "False" },
    { "{{ 'a' is string }}", "True" }, { "{{ 5 is string }}", "False" }, { "{{ m is mapping }}", "True" }, { "{{ l is mapping }}", "False" },
    { "{{ m is sequence }}", "True" }, { "{{ 5 is sequence }}", "False" }, { "{{ 5 is iterable }}", "False" },
    { "{{ range is callable }}", "True" }, { "{{ 'a'.upper is callable }}", "True" }, { "{{ 5 is callable }}", "False" },
    { "{{ x is sameas none }}", "True" }, { "{{ t is sameas true }}", "True" }, { "{{ t is sameas false }}", "False" },
    { "{{ t is sameas 1 }}", "False" }, { "{{ x is sameas false }}", "False" }, { "{{ 1 is eq 1 }}", "True" }, { "{{ 1 is ne 1 }}", "False" },
    { "{{ 1 is equalto 2 }}", "False" }, { "{{ 1 is lt 2 }}", "True" }, { "{{ 1 is lessthan 1 }}", "False" }, { "{{ 1 is le 1 }}", "True" },
    { "{{ 2 is le 1 }}", "False" }, { "{{ 2 is gt 1 }}", "True" }, { "{{ 1 is greaterthan 1 }}", "False" }, { "{{ 1 is ge 2 }}", "False" },
    { "{{ 2 is ge 2 }}", "True" }, { "{{ 1 is in l }}", "True" }, { "{{ 4 is even }}", "True" }, { "{{ -3 is odd }}", "True" },
    { "{{ -4 is odd }}", "False" }, { "{{ 3 is even }}", "False" }, { "{{ 6 is divisibleby 3 }}", "True" },
    { "{{ 6 is divisibleby(4) }}", "False" }, { "{{ 6 is divisibleby(-1) }}", "True" }, { "{{ 'abc' is lower }}", "True" },
    { "{{ 'aBc' is lower }}", "False" }, { "{{ '123' is lower }}", "False" }, { "{{ 'ABC' is upper }}", "True" },
    { "{{ 'aBC' is upper }}", "False" }, { "{{ 5 is upper }}", "False" }, { "{{ '' is lower }}", "False" }, { "{{ zz is defined }}", "False" },
    { "{{ x is defined }}", "True" }, { "{{ zz is undefined }}", "True" }, { "{{ zz is not defined }}", "True" },
    { "{{ range(5) | list }}", "[0, 1, 2, 3, 4]" }, { "{{ range(2, 5) | list }}", "[2, 3, 4]" }, { "{{ range(5, 2, -1) | list }}", "[5, 4, 3]" },
    { "{{ range(0, 10, 3) | list }}", "[0, 3, 6, 9]" }, { "{{ range(5, 2) | list }}", "[]" }, { "{{ range(-2) | list }}", "[]" },
    { "{{ dict(a=1, b='x') }}", "{'a': 1, 'b': 'x'}" }, { "{{ dict() }}", "{}" }, { "{{ namespace(a=1).b }}", "" },
    { "{{ namespace({'a': 5}).a }}", "5" }, { "{{ namespace({'a': 5}, a=6).a }}", "6" }, { "{{ strftime_now('%Y %m %d') }}", "2024 07 06" },
    { "{{ strftime_now('%-m/%-d/%y %-H:%-M:%-S') }}", "7/6/24 15:4:5" }, { "{{ strftime_now('%I %-I %p') }}", "03 3 PM" },
    { "{{ strftime_now('%B %b %A %a %j %-j') }}", "July Jul Saturday Sat 188 188" }, { "{{ strftime_now('') }}", "" },
    { "{{ strftime_now('%%') }}", "%" }, { "{{ strftime_now('%e') }}", " 6" },
    { "{{ strftime_now('%F %T %D %R') }}", "2024-07-06 15:04:05 07/06/24 15:04" }, { "{{ [1, 2, 3,] }}", "[1, 2, 3]" },
    { "{{ (1, 2,) }}", "(1, 2)" }, { "{{ {'a': 1,} }}", "{'a': 1}" }, { "{{ {'a': 1, 'a': 2} }}", "{'a': 2}" },
    { "{{ {'a': zz} }}", "{'a': Undefined}" }, { "{{ [zz] }}", "[Undefined]" }, { "{{ {} }}", "{}" }, { "{{ l.0 }}", "3" },
    { "{{ m.b.1.c }}", "None" }, { "{{ 'a' 'b' 'c' }}", "abc" }, { "{{ 1_000_000 }}", "1000000" }, { "{{ 1.5e3 }}", "1500.0" },
    { "{{ 1e5 }}", "100000.0" }, { "{{ 1E+2 }}", "100.0" }, { "{{ 1e-2 }}", "0.01" }, { "{{ 1.5.2 }}", "" },
    { "{{ 99999999999999999999999999999999999999999999999999.5 }}", "1e+50" }, { "{{ '\\x41\\u0042\\103\\'\\\"\\\\\\n' }}", "ABC'\"\\\n" },
    { "{{ '\\U0001F600' }}", "\360\237\230\200" }, { "{{ '\\7' }}", "\007" }, { "{{ '\\400' }}", "\304\200" }, { "{{ '\\8' }}", "\\8" },
    { "{{ '\\a\\b\\f\\v\\r\\t' }}", "\007\010\014\013\r\t" }, { "{{ '\\q' }}", "\\q" }, { "{{ 'a\\\nb' }}", "ab" }, { "{{ \"a'b\" }}", "a'b" },
    { "{{ '\303\251' }}", "\303\251" }, { "{{ true and false }}", "False" }, { "{{ True and False }}", "False" }, { "{{ None is none }}", "True" },
    { "{{ x and 1 }}", "None" }, { "{{ x or 1 }}", "1" }, { "{{ not x }}", "True" }, { "{{ not not x }}", "False" },
    { "{{ 1 and 2 and 3 }}", "3" }, { "{{ 0 or '' or 'z' }}", "z" }, { "{{ 1 == 1 and 2 == 2 }}", "True" }, { "{{ (1 == 1) == true }}", "True" },
    { "{{ 1 < 2 }}", "True" }, { "{{ l == [3, 1, 2] }}", "True" }, { "{{ l == (3, 1, 2) }}", "False" }, { "{{ (1, 2) == (1, 2) }}", "True" },
    { "{{ m == m }}", "True" }, { "{{ m == {'a': 1} }}", "False" }, { "{{ {'a': 1} == {'a': 1.0} }}", "True" }, { "{{ 1 == true }}", "True" },
    { "{{ 1 == 1.0 }}", "True" }, { "{{ 'a' == 1 }}", "False" }, { "{{ x == none }}", "True" }, { "{{ x == false }}", "False" },
    { "{{ big == big }}", "True" }, { "{{ big == 1 }}", "False" }, { "{{ 1.0 == big }}", "False" }, { "{{ zz == zz }}", "True" },
    { "{{ big | int }}", "123456789012345678901234567890" }, { "{{ big | string }}", "123456789012345678901234567890" },
    { "{{ [big] }}", "[123456789012345678901234567890]" }, { "{{ e }}", "1e-07" },
    { "{{ [e, 1e100, 1e-5, 0.0001, 123456789.123] }}", "[1e-07, 1e+100, 1e-05, 0.0001, 123456789.123]" }, { "{{ 1e16 }}", "1e+16" },
    { "{{ -0.0 }}", "-0.0" }, { "{{ 1.0 }}", "1.0" }, { "{{ 100000.0 }}", "100000.0" },
    { "{{ [true, false, none, 1.5, 'a\"b', \"a'b\", 'a\\'b\"c', '\\n\\t\\\\', '\303\251', '\\x00\\x7f'] }}", "[True, False, None, 1.5, 'a\"b', \"a'b\", 'a\\'b\"c', '\\n\\t\\\\', '\303\251', '\\x00\\x7f']" },
    { "{{ {'k': [1, (2,), {}]} }}", "{'k': [1, (2,), {}]}" }, { "{{ [()] }}", "[()]" }, { "{{ loop }}", "" },
    { "{{ s | upper | lower | title }}", "H\303\251llo W\303\266rld" }, { "{{ s | upper | length > 3 }}", "True" },
    { "{{ (s | upper)[0:2] }}", "H\303\211" }, { "{{ -2 | abs }}", "2" }, { "{{ - 2 ** 2 }}", "4" }, { "{{ 2 ** 3 ** 2 }}", "64" },
    { "{{ 1 - 2 - 3 }}", "-4" }, { "{{ 2 * 3 % 4 }}", "2" }, { "{{ 7 // 2 * 2 }}", "6" }, { "{{ 1 ~ 2 ~ 3 }}", "123" },
    { "{{ 'a' in 'abc' and 'b' in 'abc' }}", "True" }, { "{{ not 1 in [2] }}", "True" }, { "{{ not 1 == 2 }}", "True" },
    { "{{ 1 if 0 else 2 if 0 else 3 }}", "3" }, { "{{ (1 if 0) is defined }}", "False" }, { "{{ l | sort | reverse | list | first }}", "3" },
    { "{{ l|first+1 }}", "4" }, { "{{ l[0]+l[1] }}", "4" }, { "{{ m['a'] }}", "1" }, { "{{ m[\"b\"][1][\"c\"] is none }}", "True" },
    { "{{ messages[0]['role'] == 'user' }}", "True" }, { "{{ messages|length }}", "2" }, { "{{ messages[-1].content }}", "Yo" },
    { "{{ (messages|last).content }}", "Yo" }, { "{{ messages[0].zz is defined }}", "False" }, { "{{ l | tojson | safe }}", "[3, 1, 2]" },
    { "{{ l is sequence and l is not string and l is not mapping }}", "True" }, { "{{ 1 is number and 2 is not string }}", "True" },
    { "{{ 'a' | default('b') | upper }}", "A" }, { "{{ (zz | default('b')) ~ 'c' }}", "bc" }, { "{{ zz | default(zy) | default('c') }}", "c" },
    { "{{ 'a'.strip().upper().lower() }}", "a" }, { "{{ s[1:3].upper() }}", "\303\211L" }, { "{{ 'abc'[::-1].upper() }}", "CBA" },
    { "{{ (1, 2)[0] }}", "1" }, { "{{ [[1, 2], [3]][0][1] }}", "2" }, { "{{ {'a': {'b': 1}}['a']['b'] }}", "1" },
    { "{{ m.get('b')[1].get('c') }}", "None" }, { "{{ not zz }}", "True" }, { "{{ zz and 1 }}", "" }, { "{{ zz or 1 }}", "1" },
    { "{{ zz ~ 'a' }}", "a" }, { "{{ zz in l }}", "False" }, { "{{ l in zz }}", "False" }, { "{{ zz | upper }}", "" }, { "{{ zz | join }}", "" },
    { "{{ zz | first }}", "" }, { "{{ zz | sort }}", "[]" }, { "{{ zz | sum }}", "0" }, { "{{ zz is string }}", "False" },
    { "{{ 'x' in messages[0] }}", "False" }, { "{{ 'role' in messages[0] }}", "True" }, { "{{ 'role' in messages }}", "False" },
    { "{{ big | float }}", "1.2345678901234568e+29" }, { "{{ 7.5 // -2 }}", "-4.0" }, { "{{ -7.5 // -2 }}", "3.0" }, { "{{ -7.5 % -2 }}", "-1.5" },
    { "{{ 0.0 % -3 }}", "-0.0" }, { "{{ 6.0 // 3 }}", "2.0" }, { "{{ -6.0 // 3 }}", "-2.0" }, { "{{ 1e300 // 1e-300 }}", "inf" },
    { "{{ 0.3 // 0.1 }}", "2.0" }, { "{{ 5.5 % 1.5 }}", "1.0" }, { "{{ 1e17 // 3 }}", "3.3333333333333332e+16" },
    { "{{ [1.5] | map('round') | list }}", "[2.0]" }, { "{{ 2.0 ** -1 }}", "0.5" }, { "{{ (-8.0) ** 3 }}", "-512.0" },
    { "{{ (-8.0) ** -3 }}", "-0.001953125" }, { "{{ t | round }}", "1" },
    { "{% for a, b, c, d in [(1, 2, 3, 4)] %}{{ a ~ d }}{% endfor %}", "14" }, { "{% set a, b = [1, 2] %}{{ b }}", "2" },
    { "{% set a, b = 'xy' %}{{ b }}", "y" }, { "{% set (a, b) = (1, 2) %}{{ a + b }}", "3" },
    { "{% for (a, b) in [(1, 2)] %}{{ a + b }}{% endfor %}", "3" }, { "{% for a in l if a > 1 and a < 3 %}{{ a }}{% endfor %}", "2" },
    { "{% if x %}a{% elif x %}b{% elif t %}c{% elif t %}d{% else %}e{% endif %}", "c" },
    { "{% for a in l %}{% if a == 1 %}{% break %}{% endif %}{{ a }}{% endfor %}", "3" },
    { "{% for a in l %}{% if a == 1 %}{% continue %}{% endif %}{{ a }}{% else %}z{% endfor %}", "32" },
    { "{% for a in em %}x{% else %}empty{% endfor %}", "empty" },
    { "{% for a in l %}{% for b in l %}{{ loop.index }}{% endfor %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}", "12332310;12321310;12310310;" },
    { "{% for a in l %}{{ loop.zz }}{% endfor %}", "" }, { "{% for a in l %}{{ loop.last and loop.index }}{% endfor %}", "FalseFalse3" },
    { "{% for a in l %}{% for b in l %}{{ loop.index }}{% if loop.last %}|{% endif %}{% endfor %}{% endfor %}", "123|123|123|" },
    { "{% for k in m %}{{ k }}{% endfor %}", "abitems" }, { "{% for c in s %}{{ c }}.{% endfor %}", "h.\303\251.l.l.o. .w.\303\266.r.l.d." },
    { "{% for a in range(3) %}{{ a }}{% endfor %}", "012" }, { "{% for a in zz %}{{ a }}{% else %}none{% endfor %}", "none" },
    { "{% for a, b in m.items() %}{{ a }}={{ b }};{% endfor %}", "a=1;b=[1, {'c': None}];items=X;" },
    { "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a + ns.b }}", "3" },
    { "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}{{ ns.zz }}", "2" },
    { "{% set ns = namespace(a=1) %}{% set ns.a %}text{% endset %}{{ ns.a }}", "text" }, { "{% set ns = namespace() %}{{ ns['a'] }}", "" },
    { "{% set ns = namespace(a=5) %}{{ ns['a'] }}", "5" }, { "{% set ns = namespace(f=range) %}{{ ns.f(3) | list }}", "[0, 1, 2]" },
    { "{% set a %}x{% endset %}{{ a }}", "x" }, { "{% set f = upper %}", "" }, { "{% filter upper %}abc{{ i }}{% endfilter %}", "ABC5" },
    { "{% with %}{{ i }}{% endwith %}", "5" }, { "{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "1" },
    { "{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}", "1" },
    { "{% macro f(a, b) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3) }}", "1-1-2-3" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f is callable }}", "True" },
    { "{% macro f() %}a{{ g() }}{% endmacro %}{% macro g() %}b{% endmacro %}{{ f() }}", "ab" },
    { "{% macro f(a) %}{% if a %}{{ f(a - 1) }}{{ a }}{% endif %}{% endmacro %}{{ f(3) }}", "123" },
    { "{% macro f(a) %}{% for b in a %}{{ loop.index }}{{ b }}{% endfor %}{% endmacro %}{{ f(l) }}{{ f(x or em) }}", "132132" },
    { "{% macro f(a) -%} {{ a }} {%- endmacro %}[{{ f(1) }}]", "[1]" },
    { "{% macro f() %}{% set y = 3 %}{{ y }}{% endmacro %}{% set y = 1 %}{{ f() }}{{ y }}", "31" }, { "{# a #} b", " b" },
    { "{# a {{ b }} {% if %} #}c", "c" }, { "{#- a -#} b", "b" }, { "a {#- b -#} c", "ac" }, { "a {#+ b +#} c", "a  c" },
    { "{% raw %}{{ a }}{% endraw %}", "{{ a }}" }, { "{% raw -%} a {%- endraw %} b", "a b" }, { "{%- raw -%} a {%- endraw -%} b", "ab" },
    { "{% raw %}{% endraw x %}{% endraw %}", "{% endraw x %}" }, { "{% raw %}a{% endrow %}{% endraw %}", "a{% endrow %}" },
    { "a {%- if t %} b {%- endif %} c", "a b c" }, { "a {% if t -%} b {% endif -%} c", "a b c" }, { "a {%+ if t %} b {%+ endif %} c", "a  b  c" },
    { "{{- i -}}", "5" }, { "a {{- i }} b", "a5 b" }, { "a {{ i -}} b", "a 5b" }, { "a {{+ i }} b", "a 5 b" },
    { "  {% if t %}x{% endif %}  y", "x  y" }, { "  {%- if t %}x{% endif %}", "x" }, { "{{ i }}", "5" },
    { "{{ '{{' }}{{ '%}' }}{{ '#}' }}", "{{%}#}" }, { "{{ '{% if %}' }}", "{% if %}" }, { "{ { i } }", "{ { i } }" },
    { "{ % if % }", "{ % if % }" }, { "{{ {'a': 1}['a'] }}", "1" }, { "{{ {} }}{{ {}}}", "{}{}" }, { "{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}" },
    { "a}}b%}c#}d", "a}}b%}c#}d" }, { "{{ \"a\" }}{{ 'b' }}", "ab" }, { "{{ i }}{{ i }}{{ i }}", "555" }, { "{{ loop is defined }}", "False" },
    { "{% set x = namespace %}", "" }, { "{% set range = 1 %}{{ range }}", "1" }, { "{% for range in l %}{{ range }}{% endfor %}", "312" },
    { "{% set a = 1 %}{% if t %}{% set a = 2 %}{% endif %}{{ a }}", "2" },
    { "{% set a = 1 %}{% for b in l %}{% set a = 2 %}{% endfor %}{{ a }}", "1" },
    { "{% set a = 1 %}{% macro f() %}{{ a }}{% endmacro %}{% set a = 2 %}{{ f() }}", "2" },
    { "{% set a = [1] + [2] %}{% set b = a + [3] %}{{ a }}{{ b }}", "[1, 2][1, 2, 3]" },
    { "{% set a = 'x' + 'y' %}{% set b = a + 'z' %}{% set c = a + 'w' %}{{ a }}{{ b }}{{ c }}", "xyxyzxyw" },
    { "{% generation %}x{% endgeneration %}", "x" }, { "{{ i is not odd }}", "False" }, { "{{ not i is odd }}", "False" },
    { "{{ i is odd and t }}", "True" }, { "{{ i is eq 5 and t }}", "True" }, { "{{ i is eq(5) }}", "True" }, { "{{ i is eq 'a' 'b' }}", "False" },
    { "{{ i is in [5] }}", "True" }, { "{{ i is in(l) }}", "False" }, { "{{ i is eq i }}", "True" }, { "{{ i is eq {} }}", "False" },
    { "{{ i | upper() }}", "5" }, { "{{ i | default (1) }}", "5" }, { "{{ range (3) | list }}", "[0, 1, 2]" }, { "{{ l [0] }}", "3" },
    { "{{ l . 0 }}", "3" }, { "{{ m . a }}", "1" }, { "{{ range(3,) | list }}", "[0, 1, 2]" }, { "{{ dict(a=1,b=2)['b'] }}", "2" },
    { "{{ dict(a = 1).a }}", "1" }, { "{{ [1, 2][0] }}{{ (1, 2)[1] }}{{ 'ab'[0] }}{{ {'a': 1}['a'] }}", "12a1" },
    { "{{ [1, [2, [3, [4]]]] }}", "[1, [2, [3, [4]]]]" }, { "{{ ((((1)))) }}", "1" },
    { "{{ l[1:2:1] }}{{ l[::] }}{{ l[1::] }}{{ l[:1:] }}{{ l[::1] }}", "[1][3, 1, 2][1, 2][3][3, 1, 2]" },
    { "{{ {s: 1} }}", "{'h\303\251llo w\303\266rld': 1}" }, { "{{ {'a' ~ i: 1} }}", "{'a5': 1}" }, { "{{ 1 if t else 2 if x }}", "1" },
    { "{{ (1 if t) }}", "1" }, { "{{ 1 if t if x }}", "" }, { "{{ 5 not in l }}", "True" },
    { "{{ + 1 }}{{ - 1 }}{{ - - 1 }}{{ not not 1 }}", "1-11True" }, { "{{ -2 ** -2 }}", "0.25" }, { "{{ a_b1 }}{{ _a }}", "" },
    { "{{ 'a' \"b\" }}", "ab" }, { "{{ \"\\\"\" }}{{ '\\'' }}", "\"'" }, { "{{ 1.e }}", "" }, { "{{ 1.a }}", "" }, { "{{ 1.5.a }}", "" },
    { "{{ 0.0 }}{{ -0.0 }}{{ 0e0 }}", "0.0-0.00.0" }, { "{{ 123456789012345678 }}", "123456789012345678" },
    { "{{ 9223372036854775807 }}", "9223372036854775807" }, { "{{ 0.1e-400 }}", "0.0" }, { "{{ 00 }}", "0" }, { "{{ true.x }}{{ none.x }}", "" },
    { "{{ True }}{{ False }}{{ None }}{{ true }}{{ false }}{{ none }}", "TrueFalseNoneTrueFalseNone" },
    { "a {%- if t +%}\n b {%- endif +%}\n c", "a\n b\n c" }, { "  {%- if t %}x{% endif %}\na", "xa" }, { "a\n  {% set b = 1 %}\nc", "a\nc" },
    { "a\n  {{ i }}\nc", "a\n  5\nc" }, { "a\n\t{% if t %}\n\tb\n\t{% endif %}\n", "a\n\tb\n" }, { "a{% if t %}\nb{% endif %}\n\nc", "ab\nc" },
    { "{{ i }}\n", "5" }, { "{{ i }}\n\n", "5\n" }, { "\n{{ i }}", "\n5" }, { "{{ m\n . a }}", "1" }, { "{{ i \n+\n1 }}", "6" },
    { "a\r\nb\rc\n{{ i }}\r\n", "a\nb\nc\n5" }, { "{% raw %}\n{{ a }}\n{% endraw %}\nb", "\n{{ a }}\nb" },
    { "x\n{%- raw %} a {% endraw -%}\ny", "x a y" }, { "{% set a %}\n x\n{% endset %}[{{ a }}]", "[ x\n]" },
    { "a\n{%+ if t %}b{% endif %}", "a\nb" }, { "\t \n  {% if t %}x{% endif %}", "\t \nx" }, { "{{ [1,\n2,\n3] }}", "[1, 2, 3]" },
    { "{% for a in l -%}\n  {{ a }}\n{%- endfor %}", "312" }, { "{% for a in l %}\n{{ a }}\n{% endfor %}\n", "3\n1\n2\n" },
    { "x{# a #}\ny", "xy" }, { "x\n  {# a #}\ny", "x\ny" }, { "  {#- a #}\ny", "y" }, { "{% if t %}a{% endif %}\n\n\nb", "a\n\nb" },
    { "{{ s\n| upper }}", "H\303\211LLO W\303\226RLD" }, { "{%\nif t\n%}a{%\nendif\n%}", "a" },
};

static const struct { const char *source; slm_status status; const char *text; } refused[] = {
    { "{{ 0 ** -1 }}", SLM_E_FORMAT, "line 1: division by zero" }, { "{{ 0.0 ** -1 }}", SLM_E_FORMAT, "line 1: division by zero" },
    { "{{ (-8) ** 0.5 }}", SLM_E_UNSUPPORTED, "line 1: a power that is a complex number" },
    { "{{ 10.0 ** 400 }}", SLM_E_LIMIT, "line 1: a power beyond a double" }, { "{{ 2.5 / 0 }}", SLM_E_FORMAT, "line 1: division by zero" },
    { "{{ 2.5 // 0 }}", SLM_E_FORMAT, "line 1: division by zero" }, { "{{ 2.5 % 0 }}", SLM_E_FORMAT, "line 1: division by zero" },
    { "{{ (-9223372036854775807 - 1) // -1 }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ 0 - (-9223372036854775807 - 1) }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ -'a' }}", SLM_E_FORMAT, "line 1: cannot compute str - str" }, { "{{ +x }}", SLM_E_FORMAT, "line 1: cannot compute none + none" },
    { "{{ 1 - 'a' }}", SLM_E_FORMAT, "line 1: cannot compute int - str" }, { "{{ 'a' - 1 }}", SLM_E_FORMAT, "line 1: cannot compute str - int" },
    { "{{ [1] + (2,) }}", SLM_E_FORMAT, "line 1: cannot compute list + tuple" },
    { "{{ 'a' * 'b' }}", SLM_E_FORMAT, "line 1: cannot compute str * str" },
    { "{{ 'a' % 2 }}", SLM_E_UNSUPPORTED, "line 1: formatting a string with % is not supported" },
    { "{{ x < 1 }}", SLM_E_FORMAT, "line 1: none and int have no order" }, { "{{ m < m }}", SLM_E_FORMAT, "line 1: dict and dict have no order" },
    { "{{ i in s }}", SLM_E_FORMAT, "line 1: 'in' a string wants a string, not int" },
    { "{{ 1 in 1 }}", SLM_E_FORMAT, "line 1: int is not iterable" }, { "{{ l[:1.5] }}", SLM_E_FORMAT, "line 1: a slice by float" },
    { "{{ l[::0] }}", SLM_E_FORMAT, "line 1: a slice with a step of 0" }, { "{{ zz[1:] }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ i[1:] }}", SLM_E_FORMAT, "line 1: a slice of int" }, { "{{ m[1:] }}", SLM_E_FORMAT, "line 1: a slice of dict" },
    { "{{ zz.y }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ zz[0] }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ 1e300 | int }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ '99999999999999999999' | int }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ zz | int }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ zz | float }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ 'a' | abs }}", SLM_E_FORMAT, "line 1: abs of str" },
    { "{{ (-9223372036854775807 - 1) | abs }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ 2.345 | round(2) }}", SLM_E_UNSUPPORTED, "line 1: round to digits is not supported" },
    { "{{ 2.5 | round(method='floor') }}", SLM_E_UNSUPPORTED, "line 1: round to digits is not supported" },
    { "{{ 'a' | round }}", SLM_E_FORMAT, "line 1: round of str" },
    { "{{ m | tojson(sort_keys=true) }}", SLM_E_UNSUPPORTED, "line 1: tojson with sort_keys is not supported" },
    { "{{ m | tojson(indent='x') }}", SLM_E_UNSUPPORTED, "line 1: tojson with an indent that is no number up to 64" },
    { "{{ m | tojson(indent=65) }}", SLM_E_UNSUPPORTED, "line 1: tojson with an indent that is no number up to 64" },
    { "{{ m | tojson(separators=(1, ':')) }}", SLM_E_FORMAT, "line 1: tojson wants two strings as separators" },
    { "{{ m | tojson(separators=(',',)) }}", SLM_E_FORMAT, "line 1: tojson wants two strings as separators" },
    { "{{ m | tojson(separators=5) }}", SLM_E_FORMAT, "line 1: tojson wants two strings as separators" },
    { "{{ range | tojson }}", SLM_E_FORMAT, "line 1: function has no text in JSON" },
    { "{{ l | items | list }}", SLM_E_FORMAT, "line 1: items of list" },
    { "{{ l.index(1) }}", SLM_E_UNSUPPORTED, "line 1: the method .index() of list is not supported" },
    { "{{ l.pop() }}", SLM_E_FORMAT, "line 1: the method .pop() of list is not allowed: it would change it" },
    { "{{ m.pop('a') }}", SLM_E_FORMAT, "line 1: the method .pop() of dict is not allowed: it would change it" },
    { "{{ m.setdefault('a', 1) }}", SLM_E_FORMAT, "line 1: the method .setdefault() of dict is not allowed: it would change it" },
    { "{{ m.clear() }}", SLM_E_FORMAT, "line 1: the method .clear() of dict is not allowed: it would change it" },
    { "{{ l.foo() }}", SLM_E_FORMAT, "line 1: list has no method .foo()" }, { "{{ i | length }}", SLM_E_FORMAT, "line 1: length of int" },
    { "{{ x | length }}", SLM_E_FORMAT, "line 1: length of none" }, { "{{ x | list }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ 5 | list }}", SLM_E_FORMAT, "line 1: int is not iterable" }, { "{{ x | first }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ x | reverse }}", SLM_E_FORMAT, "line 1: none is not iterable" }, { "{{ x | join }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ 5 | join }}", SLM_E_FORMAT, "line 1: int is not iterable" },
    { "{{ [{'a': {'b': [7, 8]}}] | map(attribute='a.zz.1') | list }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ l | map('nofilter') | list }}", SLM_E_UNSUPPORTED, "line 1: the filter 'nofilter' is not supported" },
    { "{{ ['a', 'b'] | map('replace', 'a', 'c') | list }}", SLM_E_UNSUPPORTED, "line 1: map with a filter of more than one argument is not supported" },
    { "{{ l | map | list }}", SLM_E_FORMAT, "line 1: map wants a filter or an attribute" },
    { "{{ l | map(5) | list }}", SLM_E_FORMAT, "line 1: a filter or test by a name of int" },
    { "{{ [1, 'a'] | sort }}", SLM_E_FORMAT, "line 1: int and str have no order" },
    { "{{ x | sort }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ {'b': 1, 'a': 'x'} | dictsort(by='value') }}", SLM_E_FORMAT, "line 1: int and str have no order" },
    { "{{ l | dictsort }}", SLM_E_FORMAT, "line 1: items of list" }, { "{{ x | dictsort }}", SLM_E_FORMAT, "line 1: items of none" },
    { "{{ zz | dictsort }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ x | unique | list }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ [1, 'a'] | max }}", SLM_E_FORMAT, "line 1: str and int have no order" },
    { "{{ x | max }}", SLM_E_FORMAT, "line 1: none is not iterable" }, { "{{ ['a'] | sum }}", SLM_E_FORMAT, "line 1: a sum of str" },
    { "{{ [x] | sum }}", SLM_E_FORMAT, "line 1: a sum of none" },
    { "{{ objs | sum(attribute='zz') }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ objs | sum(none) }}", SLM_E_FORMAT, "line 1: a sum of dict" },
    { "{{ [9223372036854775807, 1] | sum }}", SLM_E_LIMIT, "line 1: an integer beyond 64 bits" },
    { "{{ x | sum }}", SLM_E_FORMAT, "line 1: none is not iterable" },
    { "{{ l | select('nothing') | list }}", SLM_E_UNSUPPORTED, "line 1: the test 'nothing' is not supported" },
    { "{{ l | select(5) | list }}", SLM_E_FORMAT, "line 1: a filter or test by a name of int" },
    { "{{ [1, 'a'] | select('gt', 0) | list }}", SLM_E_FORMAT, "line 1: str and int have no order" },
    { "{{ objs | selectattr | list }}", SLM_E_FORMAT, "line 1: the filter 'selectattr' wants the argument 'attribute'" },
    { "{{ '  a ' | trim(5) }}", SLM_E_FORMAT, "line 1: strip by a set of int" },
    { "{{ ' a '.strip(5) }}", SLM_E_FORMAT, "line 1: strip by a set of int" },
    { "{{ 'aXbXc' | replace('X') }}", SLM_E_FORMAT, "line 1: the filter 'replace' wants the argument 'new'" },
    { "{{ 'aXb'.replace('X', 5) }}", SLM_E_FORMAT, "line 1: replace of int" },
    { "{{ 'aXb'.replace(5, 'X') }}", SLM_E_FORMAT, "line 1: replace of int" },
    { "{{ 'aXb'.replace('X', 'y', 'z') }}", SLM_E_FORMAT, "line 1: a count of str" },
    { "{{ 'a\\nb' | indent(1.5) }}", SLM_E_FORMAT, "line 1: indent of float" },
    { "{{ 'abc'.split('') }}", SLM_E_FORMAT, "line 1: split by an empty string" },
    { "{{ 'abc'.split(5) }}", SLM_E_FORMAT, "line 1: split of int" }, { "{{ 'a b'.split(' ', 'x') }}", SLM_E_FORMAT, "line 1: a count of str" },
    { "{{ 'a,b,c'.rsplit(',', 2) }}", SLM_E_UNSUPPORTED, "line 1: rsplit of this form is not supported" },
    { "{{ 'a b c'.rsplit(none, 1) }}", SLM_E_UNSUPPORTED, "line 1: rsplit of this form is not supported" },
    { "{{ 'abc'.rsplit('', 1) }}", SLM_E_UNSUPPORTED, "line 1: rsplit of this form is not supported" },
    { "{{ 'abc'.rsplit(5, 1) }}", SLM_E_UNSUPPORTED, "line 1: rsplit of this form is not supported" },
    { "{{ 'abc'.rsplit(',', 'x') }}", SLM_E_FORMAT, "line 1: a count of str" },
    { "{{ 'abc'.startswith(5) }}", SLM_E_FORMAT, "line 1: startswith of int" },
    { "{{ 'abc'.startswith(('x', 5)) }}", SLM_E_FORMAT, "line 1: startswith of int" },
    { "{{ 'abc'.endswith(5) }}", SLM_E_FORMAT, "line 1: endswith of int" },
    { "{{ 'abc'.removeprefix(5) }}", SLM_E_FORMAT, "line 1: removing an end of int" },
    { "{{ 'abc'.removesuffix(('c',)) }}", SLM_E_FORMAT, "line 1: removing an end of tuple" },
    { "{{ ','.join([1]) }}", SLM_E_FORMAT, "line 1: join of int" }, { "{{ ','.join(5) }}", SLM_E_FORMAT, "line 1: int is not iterable" },
    { "{{ 'abc'.find(5) }}", SLM_E_FORMAT, "line 1: find of int" }, { "{{ 'abc'.count(5) }}", SLM_E_FORMAT, "line 1: count of int" },
    { "{{ 'abc'.upper(1) }}", SLM_E_UNSUPPORTED, "line 1: the method 'upper' with 1 arguments (known: 0)" },
    { "{{ 'abc'.nomethod() }}", SLM_E_FORMAT, "line 1: str has no method .nomethod()" },
    { "{{ 'abc'.encode() }}", SLM_E_UNSUPPORTED, "line 1: the method .encode() of str is not supported" },
    { "{{ 'abc'.format(1) }}", SLM_E_UNSUPPORTED, "line 1: the method .format() of str is not supported" },
    { "{{ 'abc'.zfill(5) }}", SLM_E_UNSUPPORTED, "line 1: the method .zfill() of str is not supported" },
    { "{{ x.upper() }}", SLM_E_FORMAT, "line 1: none has no method .upper()" },
    { "{{ 5.upper() }}", SLM_E_FORMAT, "line 1: int has no method .upper()" },
    { "{{ 1 is sameas 1 }}", SLM_E_UNSUPPORTED, "line 1: sameas is supported for none, true and false only" },
    { "{{ 1 is != 2 }}", SLM_E_FORMAT, "line 1: unexpected '!='; wanted a name" },
    { "{{ 1 is == 1 }}", SLM_E_FORMAT, "line 1: unexpected '=='; wanted a name" },
    { "{{ 'a' is lt 1 }}", SLM_E_FORMAT, "line 1: str and int have no order" }, { "{{ 1 is in 5 }}", SLM_E_FORMAT, "line 1: int is not iterable" },
    { "{{ 'a' is even }}", SLM_E_FORMAT, "line 1: a division of str" }, { "{{ 6 is divisibleby 0 }}", SLM_E_FORMAT, "line 1: division by zero" },
    { "{{ 6 is divisibleby 'a' }}", SLM_E_FORMAT, "line 1: a division of str" },
    { "{{ 1 is nothing }}", SLM_E_UNSUPPORTED, "line 1: the test 'nothing' is not supported" },
    { "{{ range(1, 5, 0) | list }}", SLM_E_FORMAT, "line 1: range with a step of 0" },
    { "{{ range('a') }}", SLM_E_FORMAT, "line 1: a count of str" }, { "{{ range(1, 'a') }}", SLM_E_FORMAT, "line 1: a count of str" },
    { "{{ range(1, 2, 'a') }}", SLM_E_FORMAT, "line 1: a count of str" }, { "{{ range(1.5) }}", SLM_E_FORMAT, "line 1: a count of float" },
    { "{{ range() }}", SLM_E_FORMAT, "line 1: the function 'range' wants the argument 'start'" },
    { "{{ range(1, 2, 3, 4) }}", SLM_E_UNSUPPORTED, "line 1: the function 'range' with 4 arguments (known: 3)" },
    { "{{ range(stop=3) }}", SLM_E_FORMAT, "line 1: the function 'range' wants the argument 'start'" },
    { "{{ dict(1) }}", SLM_E_UNSUPPORTED, "line 1: dict() is supported with named values only" },
    { "{{ dict(m, z=1) }}", SLM_E_UNSUPPORTED, "line 1: dict() is supported with named values only" },
    { "{{ namespace() }}", SLM_E_UNSUPPORTED, "line 1: namespace has no text" },
    { "{{ namespace(5) }}", SLM_E_FORMAT, "line 1: namespace() takes named values or one mapping" },
    { "{{ namespace(m, m) }}", SLM_E_FORMAT, "line 1: namespace() takes named values or one mapping" },
    { "{{ raise_exception() }}", SLM_E_FORMAT, "line 1: the function 'raise_exception' wants the argument 'message'" },
    { "{{ raise_exception(5) }}", SLM_E_MISMATCH, "5" },
    { "{{ raise_exception('a', 'b') }}", SLM_E_UNSUPPORTED, "line 1: the function 'raise_exception' with 2 arguments (known: 1)" },
    { "{{ raise_exception(message='x') }}", SLM_E_MISMATCH, "x" },
    { "{{ strftime_now('%') }}", SLM_E_UNSUPPORTED, "line 1: strftime_now with %? is not supported" },
    { "{{ strftime_now('a%Qb') }}", SLM_E_UNSUPPORTED, "line 1: strftime_now with %Q is not supported" },
    { "{{ strftime_now(5) }}", SLM_E_FORMAT, "line 1: strftime_now of int" },
    { "{{ strftime_now('%c') }}", SLM_E_UNSUPPORTED, "line 1: strftime_now with %c is not supported" },
    { "{{ strftime_now('%u %w %U %W %V %G %s %n %t %Z %z') }}", SLM_E_UNSUPPORTED, "line 1: strftime_now with %u is not supported" },
    { "{{ {1: 2} }}", SLM_E_UNSUPPORTED, "line 1: a mapping with a key that is no string but int" },
    { "{{ {'a'} }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ':' and a value" },
    { "{{ [1 2] }}", SLM_E_FORMAT, "line 1: unexpected '2'; wanted an operator or a closing bracket" },
    { "{{ (1 2) }}", SLM_E_FORMAT, "line 1: unexpected '2'; wanted an operator or a closing bracket" },
    { "{{ {'a': 1 'b': 2} }}", SLM_E_FORMAT, "line 1: unexpected ''b''; wanted an operator or a closing bracket" },
    { "{{ {'a' 1} }}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted an operator or a closing bracket" },
    { "{{ {'a', 1} }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted ':' and a value" },
    { "{{ {'a': } }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ':' and a value" },
    { "{{ {, } }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ [, ] }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ (, ) }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ l[1, 2] }}", SLM_E_UNSUPPORTED, "line 1: an index of several parts is not supported" },
    { "{{ l[1 }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ']'" }, { "{{ f( }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ')'" },
    { "{{ 1 + }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ not }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ 1 if }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ 1 if true else }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ a. }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a name after '.'" }, { "{{ a.1 }}", SLM_E_FORMAT, "line 1: 'a' is undefined" },
    { "{{ a.'b' }}", SLM_E_FORMAT, "line 1: unexpected ''b''; wanted a name after '.'" },
    { "{{ 1 2 }}", SLM_E_FORMAT, "line 1: unexpected '2'; wanted '}}'" },
    { "{{ 1__0 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '1_'" },
    { "{{ 0x10 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '0x'" },
    { "{{ 0b11 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '0b'" },
    { "{{ 0o17 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '0o'" },
    { "{{ 1. }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a name after '.'" },
    { "{{ .5 }}", SLM_E_FORMAT, "line 1: unexpected '.'; wanted a value" },
    { "{{ 1e }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '1e'" },
    { "{{ 123abc }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '123a'" },
    { "{{ 12345678901234567890 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '12345678901234567890 '" },
    { "{{ '\\xZZ' }}", SLM_E_FORMAT, "line 1: no escape of a string literal: '\\x5cxZZ'" },
    { "{{ '\\u12' }}", SLM_E_FORMAT, "line 1: no escape of a string literal: '\\x5cu12'" },
    { "{{ 1 < 2 == true }}", SLM_E_UNSUPPORTED, "line 1: comparisons in a row (a < b < c) are not supported" },
    { "{{ m.items }}", SLM_E_UNSUPPORTED, "line 1: method has no text" },
    { "{{ super() }}", SLM_E_FORMAT, "line 1: 'super' is undefined and cannot be called" },
    { "{{ caller() }}", SLM_E_FORMAT, "line 1: 'caller' is undefined and cannot be called" },
    { "{{ f() }}", SLM_E_FORMAT, "line 1: float cannot be called" }, { "{{ s() }}", SLM_E_FORMAT, "line 1: str cannot be called" },
    { "{{ m.a() }}", SLM_E_FORMAT, "line 1: dict has no method .a()" }, { "{{ m.b() }}", SLM_E_FORMAT, "line 1: dict has no method .b()" },
    { "{{ none() }}", SLM_E_FORMAT, "line 1: none cannot be called" }, { "{{ 'a'() }}", SLM_E_FORMAT, "line 1: str cannot be called" },
    { "{{ 1 + 2 ~ 3 }}", SLM_E_FORMAT, "line 1: cannot compute int + str" },
    { "{{ 1 in [1] == true }}", SLM_E_UNSUPPORTED, "line 1: comparisons in a row (a < b < c) are not supported" },
    { "{{ [x for x in l] }}", SLM_E_FORMAT, "line 1: unexpected 'for'; wanted an operator or a closing bracket" },
    { "{{ lambda: 1 }}", SLM_E_FORMAT, "line 1: unexpected ':'; wanted '}}'" },
    { "{{ '%s' % 'a' }}", SLM_E_UNSUPPORTED, "line 1: formatting a string with % is not supported" },
    { "{{ '%d' % 1 }}", SLM_E_UNSUPPORTED, "line 1: formatting a string with % is not supported" },
    { "{{ l | batch(2) | list }}", SLM_E_UNSUPPORTED, "line 1: the filter 'batch' is not supported" },
    { "{{ l | random }}", SLM_E_UNSUPPORTED, "line 1: the filter 'random' is not supported" },
    { "{{ l | pprint }}", SLM_E_UNSUPPORTED, "line 1: the filter 'pprint' is not supported" },
    { "{{ l | wordcount }}", SLM_E_UNSUPPORTED, "line 1: the filter 'wordcount' is not supported" },
    { "{{ 'a b' | wordcount }}", SLM_E_UNSUPPORTED, "line 1: the filter 'wordcount' is not supported" },
    { "{{ 'a' | center(5) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'center' is not supported" },
    { "{{ '<a>' | escape }}", SLM_E_UNSUPPORTED, "line 1: the filter 'escape' is not supported" },
    { "{{ '<a>' | e }}", SLM_E_UNSUPPORTED, "line 1: the filter 'e' is not supported" },
    { "{{ 'abc' | truncate(2) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'truncate' is not supported" },
    { "{{ l | slice(2) | list }}", SLM_E_UNSUPPORTED, "line 1: the filter 'slice' is not supported" },
    { "{{ 'x' | format(1) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'format' is not supported" },
    { "{{ l | attr('x') }}", SLM_E_UNSUPPORTED, "line 1: the filter 'attr' is not supported" },
    { "{{ objs | groupby('v') | list }}", SLM_E_UNSUPPORTED, "line 1: the filter 'groupby' is not supported" },
    { "{{ 'a' | urlencode }}", SLM_E_UNSUPPORTED, "line 1: the filter 'urlencode' is not supported" },
    { "{{ 'a' | xmlattr }}", SLM_E_UNSUPPORTED, "line 1: the filter 'xmlattr' is not supported" },
    { "{{ l.-1 }}", SLM_E_FORMAT, "line 1: unexpected '-'; wanted a name after '.'" },
    { "{{ zz + 1 }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ 1 + zz }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ zz * 2 }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ -zz }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ zz < 1 }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ 1 < zz }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ zz.a.b }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" },
    { "{{ zz() }}", SLM_E_FORMAT, "line 1: 'zz' is undefined and cannot be called" },
    { "{{ zz.a() }}", SLM_E_FORMAT, "line 1: 'zz' is undefined" }, { "{{ x[1:] }}", SLM_E_FORMAT, "line 1: a slice of none" },
    { "{{ ['a'] | map('indent', 2, true) | list }}", SLM_E_UNSUPPORTED, "line 1: map with a filter of more than one argument is not supported" },
    { "{{ l | map('default', 1, attribute='x') | list }}", SLM_E_UNSUPPORTED, "line 1: map with a filter of more than one argument is not supported" },
    { "{% else %}", SLM_E_FORMAT, "line 1: 'else' without its 'if' or 'for'" },
    { "{% elif t %}", SLM_E_FORMAT, "line 1: 'elif' without its 'if'" },
    { "{% if t %}{% else %}{% else %}{% endif %}", SLM_E_FORMAT, "line 1: 'else' without its 'if' or 'for'" },
    { "{% if t %}{% else %}{% elif t %}{% endif %}", SLM_E_FORMAT, "line 1: 'elif' without its 'if'" },
    { "{% for a in l %}{% elif t %}{% endfor %}", SLM_E_FORMAT, "line 1: 'elif' without its 'if'" },
    { "{% for a in l %}{% else %}{% else %}{% endfor %}", SLM_E_FORMAT, "line 1: 'else' without its 'if' or 'for'" },
    { "{% set a = 1 %}{% else %}", SLM_E_FORMAT, "line 1: 'else' without its 'if' or 'for'" },
    { "{% macro f() %}{% else %}{% endmacro %}", SLM_E_FORMAT, "line 1: 'else' without its 'if' or 'for'" },
    { "{% for a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q, r in [] %}{% endfor %}", SLM_E_LIMIT, "line 1: more than 8 names for one value" },
    { "{% set a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q, r = 1 %}", SLM_E_LIMIT, "line 1: more than 8 names for one value" },
    { "{% set a, b = 1, 2, 3 %}", SLM_E_FORMAT, "line 1: 3 values for 2 names" },
    { "{% set a, b = 1 %}", SLM_E_FORMAT, "line 1: int is not iterable" },
    { "{% for a in l %}{{ a }}", SLM_E_FORMAT, "line 1: 'for' does not end" },
    { "{% for a l %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected 'l'; wanted 'in'" },
    { "{% for in l %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected 'l'; wanted 'in'" },
    { "{% for a in %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% for 1 in l %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted a name" },
    { "{% for a in l if %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% for a in l if loop.first %}{{ a }}{% endfor %}", SLM_E_FORMAT, "line 1: 'loop' is undefined" },
    { "{% for a in l extra %}{% endfor %}", SLM_E_FORMAT, "line 1: unexpected 'extra'; wanted the end of the statement" },
    { "{% if %}{% endif %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% if t extra %}{% endif %}", SLM_E_FORMAT, "line 1: unexpected 'extra'; wanted the end of the statement" },
    { "{% elif %}", SLM_E_FORMAT, "line 1: 'elif' without its 'if'" },
    { "{% if x %}{% elif %}{% endif %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% endfor %}", SLM_E_FORMAT, "line 1: 'endfor' without its beginning" },
    { "{% endmacro %}", SLM_E_FORMAT, "line 1: 'endmacro' without its beginning" },
    { "{% endset %}", SLM_E_FORMAT, "line 1: 'endset' without its beginning" },
    { "{% endfilter %}", SLM_E_FORMAT, "line 1: 'endfilter' without its beginning" },
    { "{% endwith %}", SLM_E_FORMAT, "line 1: 'endwith' without its beginning" },
    { "{% endgeneration %}", SLM_E_FORMAT, "line 1: 'endgeneration' without its beginning" },
    { "{% endraw %}", SLM_E_FORMAT, "line 1: 'endraw' without its beginning" },
    { "{% endcall %}", SLM_E_FORMAT, "line 1: 'endcall' without its beginning" },
    { "{% end %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'end'" },
    { "{% if t %}{% endfor %}", SLM_E_FORMAT, "line 1: 'endfor' where the 'if' of line 1 is open" },
    { "{% if t %}{% endif x %}", SLM_E_FORMAT, "line 1: unexpected 'x'; wanted the end of the statement" },
    { "{% for a in l %}{% endfor x %}", SLM_E_FORMAT, "line 1: unexpected 'x'; wanted the end of the statement" },
    { "{% break %}", SLM_E_FORMAT, "line 1: 'break' outside of a loop" },
    { "{% continue %}", SLM_E_FORMAT, "line 1: 'continue' outside of a loop" },
    { "{% if t %}{% break %}{% endif %}", SLM_E_FORMAT, "line 1: 'break' outside of a loop" },
    { "{% for a in l %}{% else %}{% break %}{% endfor %}", SLM_E_FORMAT, "line 1: 'break' outside of a loop" },
    { "{% for a in l %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}", SLM_E_FORMAT, "line 1: 'break' outside of a loop" },
    { "{% for a in l %}{{ loop.cycle('x', 'y') }}{% endfor %}", SLM_E_UNSUPPORTED, "line 1: loop.cycle() is not supported" },
    { "{% for a in l %}{{ loop.changed(a) }}{% endfor %}", SLM_E_UNSUPPORTED, "line 1: loop.changed() is not supported" },
    { "{% for a in l %}{{ loop }}{% endfor %}", SLM_E_UNSUPPORTED, "line 1: loop has no text" },
    { "{% for a in l %}{{ loop.zz() }}{% endfor %}", SLM_E_FORMAT, "line 1: 'zz' is undefined and cannot be called" },
    { "{% for a in l %}{{ loop() }}{% endfor %}", SLM_E_UNSUPPORTED, "line 1: loop cannot be called" },
    { "{% for a in 5 %}{% endfor %}", SLM_E_FORMAT, "line 1: int is not iterable" },
    { "{% for a, b in [(1, 2, 3)] %}{% endfor %}", SLM_E_FORMAT, "line 1: 3 values for 2 names" },
    { "{% for a, b in [(1,)] %}{% endfor %}", SLM_E_FORMAT, "line 1: 1 values for 2 names" },
    { "{% set a %}", SLM_E_FORMAT, "line 1: 'set' does not end" }, { "{% set a = %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% set = 1 %}", SLM_E_FORMAT, "line 1: unexpected '='; wanted a name" },
    { "{% set 1 = 1 %}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted a name" },
    { "{% set a 1 %}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted the end of the statement" },
    { "{% set a = 1 2 %}", SLM_E_FORMAT, "line 1: unexpected '2'; wanted the end of the statement" },
    { "{% set a.b = 1 %}", SLM_E_FORMAT, "line 1: cannot set an attribute of undefined: it is no namespace" },
    { "{% set a.b.c = 1 %}", SLM_E_FORMAT, "line 1: unexpected '.'; wanted the end of the statement" },
    { "{% set i.b = 1 %}", SLM_E_FORMAT, "line 1: cannot set an attribute of int: it is no namespace" },
    { "{% set ns = namespace() %}{{ ns.items() }}", SLM_E_FORMAT, "line 1: 'items' is undefined and cannot be called" },
    { "{% set a | upper %}x{% endset %}{{ a }}", SLM_E_UNSUPPORTED, "line 1: 'set' with a body and a filter is not supported" },
    { "{% set a | upper | lower %}xY{% endset %}{{ a }}", SLM_E_UNSUPPORTED, "line 1: 'set' with a body and a filter is not supported" },
    { "{% set a, b %}x{% endset %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted '='" },
    { "{% set a | %}x{% endset %}", SLM_E_UNSUPPORTED, "line 1: 'set' with a body and a filter is not supported" },
    { "{% set a | nofilter %}x{% endset %}", SLM_E_UNSUPPORTED, "line 1: 'set' with a body and a filter is not supported" },
    { "{% filter replace('a', 'b') %}abc{% endfilter %}", SLM_E_UNSUPPORTED, "line 1: 'filter' with arguments or several filters is not supported" },
    { "{% filter upper | lower %}ABC{% endfilter %}", SLM_E_UNSUPPORTED, "line 1: 'filter' with arguments or several filters is not supported" },
    { "{% filter %}abc{% endfilter %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted the name of a filter" },
    { "{% filter 5 %}abc{% endfilter %}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted the name of a filter" },
    { "{% filter upper x %}abc{% endfilter %}", SLM_E_UNSUPPORTED, "line 1: 'filter' with arguments or several filters is not supported" },
    { "{% filter nofilter %}abc{% endfilter %}", SLM_E_UNSUPPORTED, "line 1: the filter 'nofilter' is not supported" },
    { "{% with a = 1 b = 2 %}{% endwith %}", SLM_E_FORMAT, "line 1: unexpected 'b'; wanted the end of the statement" },
    { "{% with a %}{% endwith %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted '='" },
    { "{% with a = %}{% endwith %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a value" },
    { "{% with 5 = 1 %}{% endwith %}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted the end of the statement" },
    { "{% with a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,j=9,k=1,l=2,n=3,o=4,p=5,q=6,r=7,s=8 %}{{ s }}{% endwith %}", SLM_E_LIMIT, "line 1: 'with' of more than 8 names" },
    { "{% macro f %}{% endmacro %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted '('" },
    { "{% macro f( %}{% endmacro %}", SLM_E_FORMAT, "line 1: unexpected '%'; wanted a parameter" },
    { "{% macro f(a b) %}{% endmacro %}", SLM_E_FORMAT, "line 1: unexpected 'b'; wanted ')'" },
    { "{% macro f(1) %}{% endmacro %}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted a parameter" },
    { "{% macro 5() %}{% endmacro %}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted a name" },
    { "{% macro f() %}{% endfor %}", SLM_E_FORMAT, "line 1: 'endfor' where the 'macro' of line 1 is open" },
    { "{% macro f() %}x{% endmacro f 1 %}", SLM_E_FORMAT, "line 1: unexpected '1'; wanted the end of the statement" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(a=1, a=2) }}", SLM_E_FORMAT, "line 1: the argument 'a' is given twice" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}", SLM_E_FORMAT, "line 1: the argument 'a' is given twice" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(zz=2) }}", SLM_E_FORMAT, "line 1: the macro has no parameter 'zz'" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", SLM_E_FORMAT, "line 1: a macro of 1 parameters called with 2 arguments" },
    { "{% macro f(a) %}{{ caller() }}{% endmacro %}{{ f(1) }}", SLM_E_FORMAT, "line 1: 'caller' is undefined and cannot be called" },
    { "{% macro f(a) %}{{ a }}{% endmacro %}{{ f | string }}", SLM_E_UNSUPPORTED, "line 1: macro has no text" },
    { "{% call f() %}x{% endcall %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'call'" },
    { "{% call(a) f() %}x{% endcall %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'call'" },
    { "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}x{% endcall %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'call'" },
    { "{% block a %}x{% endblock %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'block'" },
    { "{% extends 'a' %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'extends'" },
    { "{% include 'a' %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'include'" },
    { "{% import 'a' as b %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'import'" },
    { "{% from 'a' import b %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'from'" },
    { "{% do 1 %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'do'" },
    { "{% trans %}x{% endtrans %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'trans'" },
    { "{% autoescape true %}x{% endautoescape %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'autoescape'" },
    { "{% nothing %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'nothing'" },
    { "{% 5 %}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted a statement" },
    { "{% %}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a statement" },
    { "{%%}", SLM_E_FORMAT, "line 1: unexpected '%}'; wanted a statement" },
    { "{% if t", SLM_E_FORMAT, "line 1: the template ends inside a tag; wanted the end of the statement" },
    { "{% if t }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted the end of the statement" },
    { "{{ i", SLM_E_FORMAT, "line 1: the template ends inside a tag; wanted '}}'" },
    { "{{ i %}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted a value" }, { "{{ i } }", SLM_E_FORMAT, "line 1: unexpected '}'; wanted '}}'" },
    { "{{", SLM_E_FORMAT, "line 1: the template ends inside a tag; wanted a value" },
    { "{%", SLM_E_FORMAT, "line 1: the template ends inside a tag; wanted a statement" },
    { "{% raw x %}a{% endraw %}", SLM_E_UNSUPPORTED, "line 1: this library does not run the statement 'raw'" },
    { "{% generation x %}x{% endgeneration %}", SLM_E_FORMAT, "line 1: unexpected 'x'; wanted the end of the statement" },
    { "{% generation %}x", SLM_E_FORMAT, "line 1: 'generation' does not end" },
    { "{% if t %}{% generation %}{% endif %}{% endgeneration %}", SLM_E_FORMAT, "line 1: 'endif' where the 'generation' of line 1 is open" },
    { "{{ f(*l) }}", SLM_E_UNSUPPORTED, "line 1: arguments from a list or mapping (*) are not supported" },
    { "{{ f(**m) }}", SLM_E_UNSUPPORTED, "line 1: arguments from a list or mapping (*) are not supported" },
    { "{{ dict(**m) }}", SLM_E_UNSUPPORTED, "line 1: arguments from a list or mapping (*) are not supported" },
    { "{{ range(*l) }}", SLM_E_UNSUPPORTED, "line 1: arguments from a list or mapping (*) are not supported" },
    { "{{ l | join(*em) }}", SLM_E_UNSUPPORTED, "line 1: arguments from a list or mapping (*) are not supported" },
    { "{{ l | join(d=',', d=';') }}", SLM_E_FORMAT, "line 1: the filter 'join' has twice the argument 'd'" },
    { "{{ l | join(',', d=';') }}", SLM_E_FORMAT, "line 1: the filter 'join' has twice the argument 'd'" },
    { "{{ l | join(zz=1) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'join' does not know the argument 'zz'" },
    { "{{ l | join(',', x, 1) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'join' with 3 arguments (known: 2)" },
    { "{{ l | first(1) }}", SLM_E_UNSUPPORTED, "line 1: the filter 'first' with 1 arguments (known: 0)" },
    { "{{ i is divisibleby }}", SLM_E_FORMAT, "line 1: the test 'divisibleby' wants the argument 'num'" },
    { "{{ i is divisibleby(1, 2) }}", SLM_E_UNSUPPORTED, "line 1: the test 'divisibleby' with 2 arguments (known: 1)" },
    { "{{ i is odd(1) }}", SLM_E_UNSUPPORTED, "line 1: the test 'odd' with 1 arguments (known: 0)" },
    { "{{ i is not not odd }}", SLM_E_UNSUPPORTED, "line 1: the test 'not' is not supported" },
    { "{{ i is eq -5 }}", SLM_E_FORMAT, "line 1: the test 'eq' wants the argument 'other'" },
    { "{{ i is }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a name" },
    { "{{ i is 5 }}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted a name" },
    { "{{ i | }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a name" },
    { "{{ i | 5 }}", SLM_E_FORMAT, "line 1: unexpected '5'; wanted a name" },
    { "{{ range(3 4) }}", SLM_E_FORMAT, "line 1: unexpected '4'; wanted an operator or a closing bracket" },
    { "{{ range(,) }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ range(a=) }}", SLM_E_FORMAT, "line 1: unexpected ')'; wanted a value" },
    { "{{ range(stop=1 }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ')'" },
    { "{{ dict(a==1) }}", SLM_E_UNSUPPORTED, "line 1: dict() is supported with named values only" },
    { "{{ dict('a'=1) }}", SLM_E_FORMAT, "line 1: unexpected '='; wanted an operator or a closing bracket" },
    { "{{ , }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ l[1:2:3:4] }}", SLM_E_UNSUPPORTED, "line 1: an index of several parts is not supported" },
    { "{{ l[:,1] }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ {1} }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ':' and a value" },
    { "{{ {'a':} }}", SLM_E_FORMAT, "line 1: unexpected '}'; wanted ':' and a value" },
    { "{{ {'a':1,,} }}", SLM_E_FORMAT, "line 1: unexpected ','; wanted a value" },
    { "{{ {:1} }}", SLM_E_FORMAT, "line 1: unexpected ':'; wanted a value" },
    { "{{ {'a':1:2} }}", SLM_E_FORMAT, "line 1: unexpected ':'; wanted ',' or '}'" },
    { "{{ {i: 1} }}", SLM_E_UNSUPPORTED, "line 1: a mapping with a key that is no string but int" },
    { "{{ {x: 1} }}", SLM_E_UNSUPPORTED, "line 1: a mapping with a key that is no string but none" },
    { "{{ 1 ? 2 }}", SLM_E_FORMAT, "line 1: unexpected '?'" }, { "{{ a ! b }}", SLM_E_FORMAT, "line 1: unexpected '!'" },
    { "{{ a = b }}", SLM_E_FORMAT, "line 1: unexpected '='; wanted '}}'" },
    { "{{ a == }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ == b }}", SLM_E_FORMAT, "line 1: unexpected '=='; wanted a value" },
    { "{{ a and }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ and b }}", SLM_E_FORMAT, "line 1: unexpected 'and'; wanted a value" },
    { "{{ 1 if t else }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ if t }}", SLM_E_FORMAT, "line 1: unexpected 'if'; wanted a value" },
    { "{{ in l }}", SLM_E_FORMAT, "line 1: unexpected 'in'; wanted a value" },
    { "{{ is odd }}", SLM_E_FORMAT, "line 1: unexpected 'is'; wanted a value" },
    { "{{ 5 in }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ 5 not }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted 'in' after 'not'" },
    { "{{ 5 not 6 }}", SLM_E_FORMAT, "line 1: unexpected '6'; wanted 'in' after 'not'" },
    { "{{ -}}", SLM_E_FORMAT, "line 1: unexpected '-}}'; wanted a value" }, { "{{ - }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ ~ 1 }}", SLM_E_FORMAT, "line 1: unexpected '~'; wanted a value" },
    { "{{ 2 ** }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" },
    { "{{ 1 // }}", SLM_E_FORMAT, "line 1: unexpected '}}'; wanted a value" }, { "{{ a.b.c.d }}", SLM_E_FORMAT, "line 1: 'a' is undefined" },
    { "{{ $ }}", SLM_E_FORMAT, "line 1: unexpected '$'" },
    { "{{ \"unterminated }}", SLM_E_FORMAT, "line 1: a string literal that does not end: '\"unterminated }}'" },
    { "{{ '\\x4g' }}", SLM_E_FORMAT, "line 1: no escape of a string literal: '\\x5cx4g'" },
    { "{{ 1..2 }}", SLM_E_FORMAT, "line 1: unexpected '.'; wanted a name after '.'" },
    { "{{ 1e+ }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '1e'" },
    { "{{ 1e5e }}", SLM_E_FORMAT, "line 1: unexpected 'e'; wanted '}}'" },
    { "{{ 1_ }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '1_'" },
    { "{{ 9223372036854775808 }}", SLM_E_UNSUPPORTED, "line 1: a number this library does not read: '9223372036854775808 '" },
    { "{% if t %}\n\n{{ zz.a }}{% endif %}", SLM_E_FORMAT, "line 3: 'zz' is undefined" },
    { "{# a\nb #}\n{{ zz.a }}", SLM_E_FORMAT, "line 3: 'zz' is undefined" },
    { "{{ '\\n' }}\n{{ zz.y }}", SLM_E_FORMAT, "line 2: 'zz' is undefined" },
    { "{{ i }}\n{{ '", SLM_E_FORMAT, "line 2: a string literal that does not end: '''" },
};

static slm_status render(const char *source, const slm_allocator *allocator, uint64_t fuel, slm_rendered **out, slm_error *err)
{
    slm_template_params params = SLM_TEMPLATE_PARAMS_INIT;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_template *t = NULL;
    params.allocator = allocator;
    how.now = "2024-07-06T15:04:05";
    how.fuel = fuel;
    slm_status status = slm_template_new(&t, source, strlen(source), &params, err);
    if (!status)
        status = slm_template_render(out, t, conversation, sizeof conversation - 1, &how, err);
    slm_template_free(t);
    return status;
}

static void rows_render_as_jinja_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(renders); i++) {
        slm_error err = { 0 };
        slm_rendered *r = NULL;
        if (render(renders[i].source, NULL, 0, &r, &err))
            fail_msg("'%s': %s", renders[i].source, err.text);
        if (strcmp(slm_rendered_text(r, NULL), renders[i].want) != 0)
            fail_msg("'%s': '%s', want '%s'", renders[i].source, slm_rendered_text(r, NULL), renders[i].want);
        slm_rendered_free(r);
    }
}

static void rows_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        slm_error err = { 0 };
        slm_rendered *r = NULL;
        const slm_status status = render(refused[i].source, NULL, 0, &r, &err);
        if (status != refused[i].status || !strstr(err.text, refused[i].text) || r)
            fail_msg("'%s': %s '%s', want %s and '%s'", refused[i].source, slm_status_name(status), err.text, slm_status_name(refused[i].status),
                     refused[i].text);
    }
}

/* Too little fuel is a limit wherever it ends, and with one step more the same text comes out. */
static void fuel_may_end_at_any_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(renders); i++) {
        slm_status status = SLM_E_LIMIT;
        slm_rendered *r = NULL;
        for (uint64_t fuel = 1; status; fuel++) {
            slm_error err = { 0 };
            status = render(renders[i].source, NULL, fuel, &r, &err);
            if (status && (status != SLM_E_LIMIT || !strstr(err.text, "the fuel is gone") || r || fuel > 100000))
                fail_msg("'%s' with %" PRIu64 " steps: %s '%s'", renders[i].source, fuel, slm_status_name(status), err.text);
        }
        assert_string_equal(slm_rendered_text(r, NULL), renders[i].want);
        slm_rendered_free(r);
    }
}

/* With the at-th allocation refused (0: none); returns how many there were. */
static size_t refuse(const char *source, size_t at)
{
    fail_alloc mean;
    slm_error err = { 0 };
    slm_rendered *r = NULL;
    fail_alloc_init(&mean, at, false);
    const slm_status status = render(source, &mean.allocator, 0, &r, &err);
    if (at ? status != SLM_E_MEMORY || !err.text[0] || r : status != SLM_OK)
        fail_msg("'%s', allocation %zu refused: %s '%s'", source, at, slm_status_name(status), err.text);
    slm_rendered_free(r);
    assert_int_equal(atomic_load(&mean.live_blocks), 0);
    return atomic_load(&mean.calls);
}

/* Chunks of memory are large: a row seldom asks for a second one. A value before it that fills the first up to a few bytes makes it ask, and
 * its own allocations are the last. */
static void memory_may_end_at_any_place(void **state)
{
    (void)state;
    static const struct { const char *fill; int from, to, step; size_t last; } before[] = {
        { "", 0, 0, 1, SIZE_MAX }, { "{%% set fill = range(%d) | list %%}", 1008, 1023, 1, 3 }, { "{%% set fill = 'x' * %d %%}", 32752, 32768, 3, 2 } };
    for (size_t i = 0; i < COUNT(renders); i++)
        for (size_t k = 0; k < COUNT(before); k++)
            for (int amount = before[k].from; amount <= before[k].to; amount += before[k].step) {
                char source[2048];
                const int n = snprintf(source, sizeof source, before[k].fill, amount);
                (void)snprintf(source + n, sizeof source - (size_t)n, "%s", renders[i].source);
                const size_t all = refuse(source, 0);
                for (size_t at = all > before[k].last ? all - before[k].last + 1 : 1; at <= all; at++)
                    (void)refuse(source, at);
            }
}

/* What a caller may get wrong, beside the template. */
static void arguments_are_looked_at(void **state)
{
    (void)state;
    slm_template_params params = SLM_TEMPLATE_PARAMS_INIT;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    slm_error err = { 0 };
    size_t n = 7;
    int32_t ids[4];
    check_status(slm_template_new(NULL, "x", 1, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "out is NULL");
    check_status(slm_template_new(&t, NULL, 1, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "text is NULL");
    params.size = 3;
    check_status(slm_template_new(&t, "x", 1, &params, &err), SLM_E_ARG, &err);
    assert_null(t);
    check_status(slm_template_new(&t, NULL, 0, NULL, &err), SLM_OK, &err);
    check_status(slm_template_render(NULL, t, "{}", 2, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "out is NULL");
    check_status(slm_template_render(&r, NULL, "{}", 2, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "tmpl is NULL");
    check_status(slm_template_render(&r, t, NULL, 2, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "json is NULL");
    how.size = 3;
    check_status(slm_template_render(&r, t, "{}", 2, &how, &err), SLM_E_ARG, &err);
    check_status(slm_tokenizer_encode_rendered(NULL, ids, 4, &n, NULL, 0, &err), SLM_E_ARG, &err);
    check_text(&err, "tokenizer is NULL");
    assert_null(r);
    assert_int_equal(n, 7);
    slm_template_free(t);
    slm_template_free(NULL);
    slm_rendered_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_render_as_jinja_does), cmocka_unit_test(rows_are_refused_by_name), cmocka_unit_test(fuel_may_end_at_any_step),
        cmocka_unit_test(memory_may_end_at_any_place), cmocka_unit_test(arguments_are_looked_at),
    };
    return cmocka_run_group_tests_name("template_jinja", tests, NULL, NULL) != 0;
}
