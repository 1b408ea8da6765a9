/* cert.c -- see cert.h. */
#include "cert.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DAY = 24 * 3600 };

static bool extend(X509 *cert, X509 *issuer, int what, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, what, value);
    const bool ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* A certificate of `key` for `names` (NULL: an authority), signed by issuer (NULL: by itself), good from `from` to `to` seconds from now. */
static X509 *make(EVP_PKEY *key, const char *common, const char *names, X509 *issuer, EVP_PKEY *signer, long from, long to)
{
    static long serial = 1;
    X509 *cert = X509_new();
    if (!cert)
        return NULL;
    X509_NAME *name = X509_get_subject_name(cert);
    const bool ok = X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++) &&
                    X509_gmtime_adj(X509_getm_notBefore(cert), from) && X509_gmtime_adj(X509_getm_notAfter(cert), to) && X509_set_pubkey(cert, key) &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) &&
                    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name) &&
                    extend(cert, issuer ? issuer : cert, NID_basic_constraints, names ? "critical,CA:FALSE" : "critical,CA:TRUE") &&
                    (!names || extend(cert, issuer ? issuer : cert, NID_subject_alt_name, names)) &&
                    extend(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash") && X509_sign(cert, signer, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

bool cert_make(SSL_CTX **contexts, const char *ca_file)
{
    static const char here[] = "DNS:localhost,IP:127.0.0.1,IP:::1", elsewhere[] = "DNS:other.example";
    EVP_PKEY *authority = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = authority ? make(authority, "libslm test authority", NULL, NULL, authority, -DAY, DAY) : NULL;
    bool ok = ca && key;
    for (int i = 0; ok && i < CERT_KINDS; i++) {
        X509 *cert = i == CERT_SELF_SIGNED ? make(key, "localhost", here, NULL, key, -DAY, DAY)
                                           : make(key, "localhost", i == CERT_OTHER_HOST ? elsewhere : here, ca, authority, -2 * DAY,
                                                  i == CERT_EXPIRED ? -DAY : DAY);
        contexts[i] = SSL_CTX_new(TLS_server_method());
        ok = cert && contexts[i] && SSL_CTX_use_certificate(contexts[i], cert) == 1 && SSL_CTX_use_PrivateKey(contexts[i], key) == 1;
        X509_free(cert);
    }
    if (ok && ca_file) {
        FILE *f = fopen(ca_file, "w");
        ok = f && PEM_write_X509(f, ca) == 1;
        if (f)
            ok = fclose(f) == 0 && ok;
    }
    X509_free(ca);
    EVP_PKEY_free(authority);
    EVP_PKEY_free(key);
    return ok;
}
