/* test_sha256.c -- the published vectors of FIPS 180-4 and every length around the block edges. */
#include "harness/test.h"

#include <stdlib.h>

static void published_vectors(void **state)
{
    (void)state;
    static const struct { const char *text, *hex; } rows[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    };
    char hex[65];
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_sha256(hex, rows[i].text, strlen(rows[i].text));
        assert_string_equal(hex, rows[i].hex);
    }
    slm_sha256(hex, NULL, 0);
    assert_string_equal(hex, rows[0].hex);
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    slm_sha256(hex, million, 1000000);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* The digest of the digests of 0 .. 199 bytes 0, 1, 2 ...; the value was computed with Python's hashlib. */
static void every_length_around_the_block_edges(void **state)
{
    (void)state;
    static char all[200 * 64];
    char hex[65];
    for (size_t n = 0; n < 200; n++) {
        uint8_t *bytes = malloc(n + 1);               /* a block that ends where the bytes end, for the sanitizers */
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)i;
        slm_sha256(hex, bytes, n);
        memcpy(all + 64 * n, hex, 64);
        free(bytes);
    }
    slm_sha256(hex, all, 200 * 64);
    assert_string_equal(hex, "7a38a844c9e159de39f0862ee2e28569a8250831150a3fbf0a59c001129b2fb2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(every_length_around_the_block_edges),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL) != 0;
}
