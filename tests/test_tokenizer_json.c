/* test_tokenizer_json.c -- a tokenizer.json for each thing that may stand in one: kinds of models, tokens, merges, normalizers, pre-tokenizers,
 * post-processors, right and wrong. What the library cannot do as the file says must be refused by name, never left out. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/heap.h"
#include "core/limits.h"
#include "format/token_table.h"
#include "format/tokenizer_file.h"

#include <stdlib.h>

#define BYTES   "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define SPACES  "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}"
#define WORDS   "\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define BPE     "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}"
#define SPM     "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}"
#define PIECES  "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}"
#define UNIGRAM "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}"

static const struct { const char *json; slm_status status; const char *text; } rows[] = {
    { "{}", SLM_E_FORMAT, "no tokenizer: key 'model' is missing in 2 bytes" }, { "[]", SLM_E_FORMAT, "JSON: no object before byte 1, at byte 1" },
    { "{\"model\":5}", SLM_E_FORMAT, "no tokenizer: key 'model' is missing in 11 bytes" },
    { "{\"model\":{}}", SLM_E_UNSUPPORTED, "model '' is not supported (before byte 10); known: BPE (of bytes" },
    { "{\"model\":{}} x", SLM_E_FORMAT, "JSON: 'x' where the end should be, at byte 13" },
    { "{\"model\":{\"type\":5}}", SLM_E_UNSUPPORTED, "model '' is not supported (before byte 18); known: BPE (of bytes" },
    { "{\"model\":{\"type\":\"BPE\\u0007\"}}", SLM_E_UNSUPPORTED, "model 'BPE\\x5cu0007' is not supported (before byte 28); known: B" },
    { "{" BYTES "," BPE "}", SLM_OK, "" }, { "{" SPACES "," SPM "}", SLM_OK, "" }, { "{" WORDS "," PIECES "}", SLM_OK, "" },
    { "{" SPACES "," UNIGRAM "}", SLM_OK, "" },
    { "{\"model\":{\"vocab\":{\"a\":0}}}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" WORDS ",\"model\":{\"vocab\":{\"a\":0}}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"vocab\":{\"a\":0}}}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" SPACES ",\"model\":{\"vocab\":{\"a\":0}}}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"model\":{\"vocab\":[]}}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{" WORDS ",\"model\":{\"vocab\":[]}}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{" BYTES ",\"model\":{\"vocab\":[]}}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (1 expressions)" },
    { "{" SPACES ",\"model\":{\"vocab\":[]}}", SLM_E_FORMAT, "a vocabulary of 0 tokens" },
    { "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 10); known: " },
    { "{" WORDS ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 111); known:" },
    { "{" BYTES ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 93); known: " },
    { "{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 10); known: " },
    { "{" WORDS ",\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 111); known:" },
    { "{" BYTES ",\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_UNSUPPORTED, "model '' is not supported as it stands (before byte 93); known: " },
    { "{" BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 22); know" },
    { "{" SPACES "," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 105); kno" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":false,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 105); kno" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"continuing_subword_prefix\":\"x\"}}", SLM_E_UNSUPPORTED, "continuing_subword_prefix and end_of_word_suffix are not support" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"x\"}}", SLM_E_UNSUPPORTED, "continuing_subword_prefix and end_of_word_suffix are not support" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"continuing_subword_prefix\":\"\"}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"\"}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"continuing_subword_prefix\":null}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"continuing_subword_prefix\":null}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"end_of_word_suffix\":\"x\"}}", SLM_E_UNSUPPORTED, "continuing_subword_prefix and end_of_word_suffix are not support" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"end_of_word_suffix\":\"x\"}}", SLM_E_UNSUPPORTED, "continuing_subword_prefix and end_of_word_suffix are not support" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"end_of_word_suffix\":\"\"}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"end_of_word_suffix\":\"\"}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"end_of_word_suffix\":null}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"],\"end_of_word_suffix\":null}}", SLM_OK, "" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"BertNormalizer\"}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"BertNormalizer\"}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 0 expressions or a normalizer of anot" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"BertNormalizer\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_OK, "" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\342\226\201\"}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\342\226\201\"}," SPM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\342\226\201\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\342\226\201\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\342\226\201\"}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\342\226\201\"}," SPM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\342\226\201\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\342\226\201\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 0 expressions or a normalizer of anot" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"NFC\"}," BPE "}", SLM_OK, "" }, { "{" SPACES ",\"normalizer\":{\"type\":\"NFC\"}," SPM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"NFC\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"NFC\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"NFKC\"}," BPE "}", SLM_E_UNSUPPORTED, "normalizer 'NFKC' is not known (before byte 90), at byte 90" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"NFKC\"}," SPM "}", SLM_E_UNSUPPORTED, "normalizer 'NFKC' is not known (before byte 111), at byte 111" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"NFKC\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer 'NFKC' is not known (before byte 111), at byte 111" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"NFKC\"}," PIECES "}", SLM_E_UNSUPPORTED, "normalizer 'NFKC' is not known (before byte 72), at byte 72" },
    { "{" BYTES ",\"normalizer\":null," BPE "}", SLM_OK, "" }, { "{" SPACES ",\"normalizer\":null," SPM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":null," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":null," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" BYTES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 0 expressions or a normalizer of anot" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (2 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 170); kno" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 0 expressions or a normalizer of anot" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 186); kno" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 1 expressions or a normalizer of anot" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (1 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Digits\",\"individual_digits\":true}]}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 147); kno" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Digits\",\"individual_digits\":true}]}," SPM "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 147); kno" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Digits\",\"individual_digits\":true}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (1 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Digits\",\"individual_digits\":true}]},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 171); kno" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," SPM "}", SLM_E_UNSUPPORTED, "BPE with byte fallback and 0 expressions or a normalizer of anot" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"always\"}]},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 66); know" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," SPM "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 66); know" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 65); know" },
    { "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," SPM "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 65); know" },
    { "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true}," BPE "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 81); know" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true}," SPM "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands (before byte 81); know" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (1 expressions)" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true},\"normalizer\":{\"type\":\"BertNormalizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"@@\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_UNSUPPORTED, "WordPiece's continuing_subword_prefix is something else than '##" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":null,\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_OK, "" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":50,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_UNSUPPORTED, "max_input_chars_per_word is 50 (known: 100)" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":-1,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_FORMAT, "JSON: -1 is no integer (allowed 0 .. 18446744073709551615), at b" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":\"x\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_OK, "" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":1.5,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_FORMAT, "JSON: 1.5 is no integer (allowed 0 .. 18446744073709551615), at " },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":5,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x0a>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0xZZ>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x0Z>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0xG0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x0A \":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0y0A>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0xaF>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x:0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x@0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x`0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0xg0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4,\"<0x/0>\":5},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"<0x0A>\",-1]],\"byte_fallback\":true}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where the vocabulary, an object, should be, befor" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":5,\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where the vocabulary, an object, should be, befor" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":null,\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where the vocabulary, an object, should be, befor" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":\"x\",\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where the vocabulary, an object, should be, befor" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where a token's id should be, before byte 101, at" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "JSON: -1 is no integer (allowed 0 .. 18446744073709551615), at b" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0.5},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "JSON: 0.5 is no integer (allowed 0 .. 18446744073709551615), at " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":null},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "something else where a token's id should be, before byte 102, at" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4194304},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_LIMIT, "a token of id 4194304 (allowed below 4194304), at byte 105" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "tokens 'a' and 'b' both have id 0" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\u0007a\":0,\"b\\n\":0},\"merges\":[[\"a\",\"b\"]]}}", SLM_E_FORMAT, "tokens '\\x07a' and 'b\\x0a' both have id 0" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", SLM_E_FORMAT, "the token of id 1 stands twice, before byte 105, at byte 105" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}", SLM_E_FORMAT, "JSON: lone surrogate \\ud800, at byte 95" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"\\ud800 b\"]}}", SLM_E_FORMAT, "JSON: lone surrogate \\ud800, at byte 125" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"\\ud800\",\"b\"]]}}", SLM_E_FORMAT, "JSON: lone surrogate \\ud800, at byte 126" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"unk_token\":\"\\udc00\",\"vocab\":{\"a\":0},\"merges\":[]}}", SLM_E_FORMAT, "JSON: lone surrogate \\udc00, at byte 98" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":{}}}", SLM_E_FORMAT, "something else where the vocabulary, an array, should be, before" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[5]}}", SLM_E_FORMAT, "something else where [token, score] should be, before byte 131, " },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[5,0]]}}", SLM_E_FORMAT, "something else where a token should be, before byte 132, at byte" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[]]}}", SLM_E_FORMAT, "something else where a token should be, before byte 132, at byte" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}", SLM_E_FORMAT, "something else where a token's score should be, before byte 135," },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",\"x\"]]}}", SLM_E_FORMAT, "something else where a token's score should be, before byte 138," },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0,1]]}}", SLM_E_FORMAT, "something else where the end of [token, score] should be, before" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",1e+31]]}}", SLM_E_FORMAT, "token 0: its score has an exponent beyond 30, before byte 141, a" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",-1e+31]]}}", SLM_E_FORMAT, "token 0: its score has an exponent beyond 30, before byte 142, a" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",1e+30],[\"b\",0]]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0],5]}}", SLM_E_FORMAT, "something else where [token, score] should be, before byte 139, " },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",null]]}}", SLM_E_FORMAT, "something else where a token's score should be, before byte 139," },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\"},\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]]}}", SLM_E_FORMAT, "JSON: 1e999 is beyond a double (allowed up to 1.797e308), at byt" },
    { "{" BYTES ",\"added_tokens\":null," BPE "}", SLM_OK, "" }, { "{" SPACES ",\"added_tokens\":null," UNIGRAM "}", SLM_OK, "" },
    { "{" BYTES ",\"added_tokens\":5," BPE "}", SLM_E_FORMAT, "something else where added_tokens, an array, should be, before b" },
    { "{" SPACES ",\"added_tokens\":5," UNIGRAM "}", SLM_E_FORMAT, "something else where added_tokens, an array, should be, before b" },
    { "{" BYTES ",\"added_tokens\":{}," BPE "}", SLM_E_FORMAT, "something else where added_tokens, an array, should be, before b" },
    { "{" SPACES ",\"added_tokens\":{}," UNIGRAM "}", SLM_E_FORMAT, "something else where added_tokens, an array, should be, before b" },
    { "{" BYTES ",\"added_tokens\":[]," BPE "}", SLM_OK, "" }, { "{" SPACES ",\"added_tokens\":[]," UNIGRAM "}", SLM_OK, "" },
    { "{" BYTES ",\"added_tokens\":[5]," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 80, at byte 80" },
    { "{" SPACES ",\"added_tokens\":[5]," UNIGRAM "}", SLM_E_FORMAT, "JSON: no object before byte 101, at byte 101" },
    { "{" BYTES ",\"added_tokens\":[{}]," BPE "}", SLM_E_FORMAT, "something else where a token's id should be, before byte 80, at " },
    { "{" SPACES ",\"added_tokens\":[{}]," UNIGRAM "}", SLM_E_FORMAT, "something else where a token's id should be, before byte 101, at" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":\"x\",\"content\":\"a\"}]," BPE "}", SLM_E_FORMAT, "something else where a token's id should be, before byte 88, at " },
    { "{" SPACES ",\"added_tokens\":[{\"id\":\"x\",\"content\":\"a\"}]," UNIGRAM "}", SLM_E_FORMAT, "something else where a token's id should be, before byte 109, at" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3}]," BPE "}", SLM_E_FORMAT, "something else where an added token's content should be, before " },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3}]," UNIGRAM "}", SLM_E_FORMAT, "something else where an added token's content should be, before " },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":5}]," BPE "}", SLM_E_FORMAT, "something else where an added token's content should be, before " },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3,\"content\":5}]," UNIGRAM "}", SLM_E_FORMAT, "something else where an added token's content should be, before " },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\",\"single_word\":true}]," BPE "}", SLM_E_UNSUPPORTED, "added token 3: single_word is not supported, before byte 120, at" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\",\"single_word\":true}]," UNIGRAM "}", SLM_E_UNSUPPORTED, "added token 3: single_word is not supported, before byte 141, at" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":2,\"content\":\"a\"}]," BPE "}", SLM_E_FORMAT, "added token 2 has id 0 in the vocabulary, before byte 101, at by" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":2,\"content\":\"a\"}]," UNIGRAM "}", SLM_E_FORMAT, "added token 2 has id 1 in the vocabulary, before byte 122, at by" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":0,\"content\":\"a\",\"special\":true}]," BPE "}", SLM_OK, "" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":0,\"content\":\"a\",\"special\":true}]," UNIGRAM "}", SLM_E_FORMAT, "added token 0 has id 1 in the vocabulary, before byte 137, at by" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\",\"special\":true},{\"id\":4,\"content\":\"y\"}]," BPE "}", SLM_OK, "" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\",\"special\":true},{\"id\":4,\"content\":\"y\"}]," UNIGRAM "}", SLM_OK, "" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\"},{\"id\":3,\"content\":\"z\"}]," BPE "}", SLM_OK, "" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\"},{\"id\":3,\"content\":\"z\"}]," UNIGRAM "}", SLM_OK, "" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\"},{\"id\":3,\"content\":\"y\"}]," BPE "}", SLM_E_FORMAT, "tokens 'z' and 'y' both have id 3" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":3,\"content\":\"z\"},{\"id\":3,\"content\":\"y\"}]," UNIGRAM "}", SLM_E_FORMAT, "tokens 'z' and 'y' both have id 3" },
    { "{" BYTES ",\"added_tokens\":[{\"id\":4194304,\"content\":\"z\"}]," BPE "}", SLM_E_LIMIT, "a token of id 4194304 (allowed below 4194304), at byte 92" },
    { "{" SPACES ",\"added_tokens\":[{\"id\":4194304,\"content\":\"z\"}]," UNIGRAM "}", SLM_E_LIMIT, "a token of id 4194304 (allowed below 4194304), at byte 113" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":null}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 12" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":null}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 21" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":5}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 12" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":5}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 20" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":{}}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 12" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":{}}}", SLM_E_FORMAT, "something else where merges, an array, should be, before byte 20" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[5]}}", SLM_E_FORMAT, "something else where a merge should be, before byte 125, at byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[5]}}", SLM_E_FORMAT, "something else where a merge should be, before byte 208, at byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\"]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"a\"]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",5]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"a\",5]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\",\"c\"]]}}", SLM_E_FORMAT, "something else where the end of a merge should be, before byte 1" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"a\",\"b\",\"c\"]]}}", SLM_E_FORMAT, "something else where the end of a merge should be, before byte 2" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\" \"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\" \"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\" a\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\" a\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a \"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a \"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b c\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b c\"]}}", SLM_E_FORMAT, "a merge makes no token, before byte 214, at byte 214" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"ab\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"ab\"]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\",\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\",\"a b\"]}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"\"]]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"a\",\"\"]]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"\",\"b\"]]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"\",\"b\"]]}}", SLM_E_FORMAT, "something else where a merge of two texts should be, before byte" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"x y\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"x y\"]}}", SLM_E_FORMAT, "a merge makes no token, before byte 212, at byte 212" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[5,\"b\"]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[5,\"b\"]]}}", SLM_E_FORMAT, "something else where a string of a merge should be, before byte " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"],null]}}", SLM_E_FORMAT, "something else where a merge should be, before byte 138, at byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[[\"a\",\"b\"],null]}}", SLM_E_FORMAT, "something else where a merge should be, before byte 221, at byte" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[]}}", SLM_E_UNSUPPORTED, "token 6 is two tokens in 2 ways, the merges have 0: no list of S" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"a b\",\"b c\",\"ab c\",\"a bc\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"a b\",\"ab c\",\"b c\"]}}", SLM_E_UNSUPPORTED, "token 6 is two tokens in 2 ways, the merges have 1: no list of S" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"a b\",\"ab c\",\"b c\",\"a bc\"]}}", SLM_E_UNSUPPORTED, "merges that make token 6 stand in two places: no list of Sentenc" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"b c\",\"a bc\",\"ab c\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"b c\",\"a bc\",\"ab c\",\"a b\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6},\"merges\":[\"a b\",\"b c\",\"a bc\",\"ab c\"]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"\303\251\":1,\"\303\251\303\251\":2},\"merges\":[\"\303\251 \303\251\"]}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_token\":\"zz\"}}", SLM_E_FORMAT, "unk_token 'zz' is none of the 3 tokens" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"zz\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_E_FORMAT, "unk_token 'zz' is none of the 5 tokens" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"zz\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_FORMAT, "unk_token 'zz' is none of the 4 tokens" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_token\":\"a\"}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"a\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_token\":null}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":null,\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":null,\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_token\":5}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":5,\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_OK, "" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":5,\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_OK, "" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_token\":\"\"}}", SLM_E_FORMAT, "unk_token '' is none of the 3 tokens" },
    { "{" SPACES ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"\",\"vocab\":{\"<unk>\":0,\"<0x0A>\":1,\"a\":2,\"b\":3,\"ab\":4},\"merges\":[\"a b\"]}}", SLM_E_FORMAT, "unk_token '' is none of the 5 tokens" },
    { "{" WORDS ",\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"##\":3}}}", SLM_E_FORMAT, "unk_token '' is none of the 4 tokens" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_E_FORMAT, "unk_id is 2, the vocabulary has 2 tokens" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":-1,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_E_FORMAT, "JSON: -1 is no integer (allowed 0 .. 18446744073709551615), at b" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":\"x\",\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_OK, "" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":4194304,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_E_LIMIT, "a token of id 4194304 (allowed below 4194304), at byte 126" },
    { "{" SPACES ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0.5,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5]]}}", SLM_E_FORMAT, "JSON: 0.5 is no integer (allowed 0 .. 18446744073709551615), at " },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":3},\"merges\":[[\"a\",\"b\"]],\"unk_id\":2}}", SLM_E_FORMAT, "unk_id is 2, the vocabulary has 3 tokens" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"b\":1,\"a\":0,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"unk_id\":0}}", SLM_E_FORMAT, "unk_id is 0, the vocabulary has 3 tokens" },
    { "{" BYTES ",\"post_processor\":null," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"b\",\"type_id\":0}}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"b\",\"type_id\":0}}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"b\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: more than one token in front or behind: 'b' is n" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"b\",\"type_id\":0}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: more than one token in front or behind: 'b' is n" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"zz\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_E_FORMAT, "post_processor: token 'zz' is none of the 3 tokens" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"zz\",\"type_id\":0}}]}," BPE "}", SLM_E_FORMAT, "post_processor: token 'zz' is none of the 3 tokens" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token '' is not known (before byte 143), at " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\"}," BPE "}", SLM_E_UNSUPPORTED, "post_processor without a list 'single': 'TemplateProcessing' is " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[5]}," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 120, at byte 120" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":5}]}," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 136, at byte 136" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token '' is not known (before byte 136), at " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":5}}]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token '' is not known (before byte 142), at " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"b\",1]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",0],\"sep\":[\"b\",1]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\"}," BPE "}", SLM_E_UNSUPPORTED, "post_processor without cls and sep: 'BertProcessing' is not know" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor without cls and sep: 'BertProcessing' is not know" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[],\"sep\":[]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token '' is not known (before byte 113), at " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[5,0],\"sep\":[\"b\",1]}," BPE "}", SLM_E_UNSUPPORTED, "post_processor: the token '' is not known (before byte 113), at " },
    { "{" BYTES ",\"post_processor\":{\"type\":\"ByteLevel\"}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Other\"}," BPE "}", SLM_E_UNSUPPORTED, "post_processor 'Other' is not known (before byte 95), at byte 95" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[]}," BPE "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\"}," BPE "}", SLM_E_FORMAT, "a Sequence without a list, or more than 4 inside each other (bef" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":5}," BPE "}", SLM_E_FORMAT, "a Sequence without a list, or more than 4 inside each other (bef" },
    { "{" BYTES ",\"post_processor\":5," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 81, at byte 81" },
    { "{" BYTES ",\"post_processor\":[]," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 81, at byte 81" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[5]}," BPE "}", SLM_E_FORMAT, "JSON: no object before byte 114, at byte 114" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}]}]}]}]}]}]}]}]}," BPE "}", SLM_E_FORMAT, "a Sequence without a list, or more than 4 inside each other (bef" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}]},{\"type\":\"ByteLevel\"}]}," BPE "}", SLM_OK, "" },
    { "{" WORDS ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"##b\",\"type_id\":0}}]}," PIECES "}", SLM_OK, "" },
    { "{" WORDS ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"##b\",2]}," PIECES "}", SLM_OK, "" },
    { "{" SPACES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}}]}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}," SPM "}", SLM_OK, "" },
    { "{" BYTES ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"\\u0061\",0],\"sep\":[\"b\",1]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}", SLM_E_UNSUPPORTED, "post_processor: the token '\\x5cu0061' is not known (before byte " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"ab+/\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA=\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA==\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A===\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 61 at 1 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAAA\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: 5 characters of base64, no multiple of 4" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA*A\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 42 at 2 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA=A\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 61 at 2 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"09zZ\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"====\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 61 at 0 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":5}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a second precompiled_charsmap, or none, in 'Precompiled' is not " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"},{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a second precompiled_charsmap, or none, in 'Precompiled' is not " },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a second precompiled_charsmap, or none, in 'Precompiled' is not " },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":false}," PIECES "}", SLM_E_UNSUPPORTED, "clean_text or handle_chinese_chars false in 'BertNormalizer' is " },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"handle_chinese_chars\":false}," PIECES "}", SLM_E_UNSUPPORTED, "clean_text or handle_chinese_chars false in 'BertNormalizer' is " },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"strip_accents\":false}," PIECES "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"strip_accents\":true}," PIECES "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"strip_accents\":null}," PIECES "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true}," PIECES "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":null}," PIECES "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"x\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer 'Prepend' is not known (before byte 114), at byte 114" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Prepend\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer 'Prepend' is not known (before byte 114), at byte 114" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a pattern 'Replace' is not known (before byte 114), at byte 114" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{}}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a pattern '' is not known (before byte 126), at byte 126" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a pattern 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"\342\226\201\"}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"x\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer Replace of ' {2,}' is not known (before byte 114), at" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" \"},\"content\":\"\342\226\201\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer Replace of ' ' is not known (before byte 114), at byt" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"x\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer Replace of ' ' is not known (before byte 114), at byt" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" {2,}\"},\"content\":\" \"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer Replace of ' {2,}' is not known (before byte 114), at" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\\n\\r\\\"\\\\/b\"},\"content\":\" \"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer Replace of 'a\\n\\r\"\\/b' is not known (before byte 114)" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\\u0001\"},\"content\":\" \"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "an escape in pattern '\\x5cu0001' is not known (before byte 143)," },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":5,\"content\":\" \"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a pattern 'Replace' is not known (before byte 114), at byte 114" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":5},\"content\":\" \"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "a pattern '' is not known (before byte 126), at byte 126" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]}," UNIGRAM "}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer '' is not known (before byte 98), at byte 98" },
    { "{" SPACES ",\"normalizer\":5," UNIGRAM "}", SLM_E_FORMAT, "JSON: no object before byte 98, at byte 98" },
    { "{" SPACES ",\"normalizer\":{\"type\":5}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer '' is not known (before byte 106), at byte 106" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Lowercase\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "normalizer 'Lowercase' is not known (before byte 116), at byte 1" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}," BPE "}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 0 known steps, which together have no name" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 0 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 1 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}," BPE "}", SLM_E_UNSUPPORTED, "add_prefix_space true in 'ByteLevel' is not known (before byte 3" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "add_prefix_space true in 'ByteLevel' is not known (before byte 3" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":null,\"use_regex\":null}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":null,\"use_regex\":null},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 1 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 1 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 1 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Removed\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Removed\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"MergedWithNext\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"MergedWithNext\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"String\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"String\":\"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression ''s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression '\\p{N}' is not known (before byte " },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression '\\p{N}' is not known (before byte " },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," BPE "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 2 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression 'x' is not known (before byte 80)," },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer: the expression 'x' is not known (before byte 80)," },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "a pattern '' is not known (before byte 80), at byte 80" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "a pattern '' is not known (before byte 80), at byte 80" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "a pattern 'Split' is not known (before byte 68), at byte 68" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "a pattern 'Split' is not known (before byte 68), at byte 68" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":false}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Digits' is not known (before byte 33), at byte 33" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Digits' is not known (before byte 33), at byte 33" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\"}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Digits' is not known (before byte 33), at byte 33" },
    { "{\"pre_tokenizer\":{\"type\":\"Digits\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Digits' is not known (before byte 33), at byte 33" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 7 known steps, which together have no name" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 7 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 3 known steps, which together have no name" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "its pre_tokenizer has 3 known steps and ignore_merges, which tog" },
    { "{\"pre_tokenizer\":{\"type\":\"Other\"}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Other' is not known (before byte 32), at byte 32" },
    { "{\"pre_tokenizer\":{\"type\":\"Other\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Other' is not known (before byte 32), at byte 32" },
    { "{\"pre_tokenizer\":{\"type\":\"Punctuation\"}," BPE "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Punctuation' is not known (before byte 38), at by" },
    { "{\"pre_tokenizer\":{\"type\":\"Punctuation\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]],\"ignore_merges\":true}}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Punctuation' is not known (before byte 38), at by" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Metaspace' is not known (before byte 36), at byte" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}," SPM "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Metaspace' is not known (before byte 36), at byte" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\"}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"add_prefix_space\":false}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"add_prefix_space\":false}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"add_prefix_space\":true}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"add_prefix_space\":true}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"never\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"never\"}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"first\"}," UNIGRAM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\",\"prepend_scheme\":\"first\"}," SPM "}", SLM_OK, "" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\"}," UNIGRAM "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Metaspace' is not known (before byte 36), at byte" },
    { "{\"pre_tokenizer\":{\"type\":\"Metaspace\"}," SPM "}", SLM_E_UNSUPPORTED, "pre_tokenizer 'Metaspace' is not known (before byte 36), at byte" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," BPE "}", SLM_E_UNSUPPORTED, "BPE of bytes with a normalizer or pre_tokenizer of another kind " },
    { "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}]},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"},{\"type\":\"Prepend\",\"prepend\":\"\342\226\201\"}]},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"},{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}]},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"}]},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," PIECES "}", SLM_E_UNSUPPORTED, "WordPiece without BertNormalizer and BertPreTokenizer, or with m" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Metaspace\",\"replacement\":\"\342\226\201\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}," UNIGRAM "}", SLM_E_UNSUPPORTED, "Unigram without a Metaspace, or with more (0 expressions)" },
    { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"<0x0A>\":0},\"merges\":[]}}", SLM_OK, "" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA:A\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 58 at 2 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA{A\"}," UNIGRAM "}", SLM_E_FORMAT, "precompiled_charsmap: byte 123 at 2 is not base64" },
    { "{" SPACES ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\\ud800\"}," UNIGRAM "}", SLM_E_FORMAT, "JSON" },
};

static slm_status read_row(const char *json, size_t n, const slm_allocator *allocator, slm_error *err)
{
    slm_heap heap;
    slm_keys keys;
    slm_heap_init(&heap, allocator, 0);
    slm_keys_init(&keys, &heap, "small.json");
    const slm_status status = slm_tokenizer_json_read(&keys, (const uint8_t *)json, n, "small.json", 0, err);
    slm_keys_free(&keys);
    assert_int_equal(atomic_load(&heap.current), 0);
    return status;
}

static void every_part_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        const slm_status status = read_row(rows[i].json, strlen(rows[i].json), NULL, &err);
        if (status != rows[i].status || !strstr(err.text, rows[i].text) || (status && strncmp(err.text, "small.json: ", 12) != 0))
            fail_msg("%s\n%s '%s', want %s with '%s'", rows[i].json, slm_status_name(status), err.text, slm_status_name(rows[i].status), rows[i].text);
    }
}

/* What no row has room for. */
static void numbers_have_limits(void **state)
{
    static const char token[] = "{" BYTES ",\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"";
    static const char merges[] = "{" BYTES ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"";
    (void)state;
    slm_error err = { 0 };
    slm_heap heap;
    slm_keys keys;
    enum { MOST = SLM_LIMIT_ARRAY_COUNT, LONG = SLM_LIMIT_TOKEN_BYTES };
    char *json = malloc(sizeof merges + (size_t)MOST * 6 + 4);
    assert_non_null(json);
    /* a token of a byte too many */
    for (size_t n = LONG; n <= LONG + 1; n++) {
        memcpy(json, token, sizeof token - 1);
        memset(json + sizeof token - 1, 'a', n);
        memcpy(json + sizeof token - 1 + n, "\":0}}}", 6);
        assert_int_equal(read_row(json, sizeof token - 1 + n + 6, NULL, &err), n == LONG ? SLM_OK : SLM_E_LIMIT);
    }
    assert_string_equal(err.text, "small.json: token 0 has 65536 bytes (allowed 65535)");
    /* a merge too many */
    size_t n = sizeof merges - 1;
    memcpy(json, merges, n);
    for (size_t i = 0; i < MOST; i++, n += 6)
        memcpy(json + n, ",\"a a\"", 6);
    memcpy(json + n, "]}}", 3);
    assert_int_equal(read_row(json, n + 3, NULL, &err), SLM_E_LIMIT);
    assert_string_equal(err.text, "small.json: more than 4194304 merges");
    free(json);
    /* an embedding of too many rows, and an id that no reader gives */
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "small.json");
    static const char good[] = "{" BYTES "," BPE "}";
    assert_int_equal(slm_tokenizer_json_read(&keys, (const uint8_t *)good, sizeof good - 1, "small.json", (size_t)SLM_LIMIT_VOCAB + 1, &err), SLM_E_FORMAT);
    assert_string_equal(err.text, "small.json: the highest id is 2, for 3 tokens");
    slm_keys_free(&keys);
    slm_token_table table;
    assert_int_equal(slm_token_table_init(&table, &heap, "small.json", &err), SLM_OK);
    assert_int_equal(slm_token_table_add(&table, SLM_LIMIT_VOCAB, "a", 1, SLM_TYPE_NORMAL, 0, &err), SLM_E_LIMIT);
    assert_string_equal(err.text, "small.json: a token of id 4194304 (allowed below 4194304)");
    slm_token_table_free(&table);
    assert_int_equal(atomic_load(&heap.current), 0);
}

/* Cut anywhere it is refused: what is missing at the end is never made up. */
static void a_cut_file_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t cut = 0; cut < strlen(rows[i].json); cut++) {
            slm_error err = { 0 };
            char *copy = malloc(cut ? cut : 1);         /* of this size exactly: a read past the end is seen */
            memcpy(copy, rows[i].json, cut);
            if (!read_row(copy, cut, NULL, &err) || !err.text[0])
                fail_msg("%s cut at %zu: '%s'", rows[i].json, cut, err.text);
            free(copy);
        }
}

/* A refused allocation is a lack of memory and nothing else, in files that are right and in those that are wrong further on. */
static void a_refused_allocation_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t at = 1, refused = 1; refused; at++) {
            fail_alloc mean;
            slm_error err = { 0 };
            fail_alloc_init(&mean, at, false);
            const slm_status status = read_row(rows[i].json, strlen(rows[i].json), &mean.allocator, &err);
            refused = atomic_load(&mean.refused);
            if (status != (refused ? SLM_E_MEMORY : rows[i].status))
                fail_msg("%s, allocation %zu refused: %s '%s'", rows[i].json, at, slm_status_name(status), err.text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_read_or_refused), cmocka_unit_test(a_cut_file_is_refused), cmocka_unit_test(numbers_have_limits), cmocka_unit_test(a_refused_allocation_leaves_nothing),
    };
    return cmocka_run_group_tests_name("tokenizer_json", tests, NULL, NULL) != 0;
}
