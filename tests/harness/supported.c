/* supported.c -- prints the README's table of what the library runs, from the tables that decide it. */
#include "format/family.h"
#include "format/file.h"
#include "model/arch.h"
#include "text/pretokenize.h"

#include <stdio.h>
#include <string.h>

/* "a, b" as "`a`, `b`". */
static void print_names(const char *names)
{
    for (const char *comma = "`"; *names; comma = ", `") {
        const size_t n = strcspn(names, ",");
        printf("%s%.*s`", comma, (int)n, names);
        names += n;
        names += strspn(names, ", ");
    }
}

int main(void)
{
    char pre[1024];
    printf("| | |\n|---|---|\n| files | %s |\n| families | ", slm_file_formats());
    print_names(slm_arch_names());
    printf(": [docs/families.md](docs/families.md) |\n| Hugging Face folders | of `model_type` ");
    for (const slm_family *f = slm_families; f->model_type; f++)
        printf("%s`%s`", f == slm_families ? "" : ", ", f->model_type);
    printf(": [docs/convert.md](docs/convert.md) |\n| weights | ");
    for (size_t i = 0; slm_type_at(i); i++)
        printf("%s%s%s", i ? ", " : "", slm_type_at(i)->name, slm_type_at(i)->head ? " (packed files)" : "");
    slm_pre_names(pre, sizeof pre);
    printf(", mixed in one file |\n| tokenizers | SentencePiece BPE and unigram, WordPiece; byte-level BPE with the pre-tokenizers ");
    print_names(pre);
    printf(": [docs/tokenizers.md](docs/tokenizers.md) |\n");
    return 0;
}
