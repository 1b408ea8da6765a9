/* cli.h -- what the commands of the slm program share: option tables, errors, JSON lines, files, interruption.
 *
 * A command is a row: its options (the only place where an option is described: the parser and --help read it) and a run
 * function, which returns the exit status. Nothing below main ends the process. Everything stands on include/slm.h alone.
 *
 * Exit: 0 done; 1 could not; 2 the command line is wrong; 3 done, but what was asked does not hold; 128 + signal interrupted. */
#ifndef CLI_H
#define CLI_H

#include "slm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- options --------------------------------------------------------------------------------------------------------------- */

typedef enum cli_kind {
    CLI_FLAG,      /* bool */
    CLI_TEXT,      /* const char * */
    CLI_CHOICE,    /* const char *, one of `value`, which lists them as "f16|f32" */
    CLI_COUNT,     /* uint64_t in least..most (most 0: no bound) */
    CLI_REAL,      /* double in least..most */
    CLI_LIST,      /* cli_list; the option may be repeated */
    CLI_GROUP      /* no option: a heading of the help */
} cli_kind;

typedef struct cli_list {
    const char **item;     /* [n] */
    size_t n;
} cli_list;

typedef struct cli_option {
    cli_kind    kind;
    char        letter;    /* 'n', or 0 */
    const char *name;      /* "max-tokens" for --max-tokens; NULL ends a table */
    const char *value;     /* what the help calls the value */
    const char *initial;   /* the default, as it would be typed; parsed like any other value. NULL: none */
    double      least, most;
    size_t      at;        /* offset in the command's struct */
    const char *help;
} cli_option;
#define CLI_END { CLI_FLAG, 0, NULL, NULL, NULL, 0, 0, 0, NULL }
#define CLI_HEAD(title) { CLI_GROUP, 0, title, NULL, NULL, 0, 0, 0, NULL }

typedef struct cli cli;

typedef struct cli_command {
    const char *name;
    const char *brief;         /* half a line for `slm help` */
    const char *example;       /* the shortest useful command */
    const char *arguments[3];  /* names of what stands without an option: "IN", "OUT" */
    const char *about;         /* lines of text for --help; NULL */
    const cli_option *options; /* NULL: none but the common ones */
    size_t      size;          /* of the struct the options are written to */
    bool        no_model;      /* -m means nothing here and is refused */
    int       (*run)(cli *c, const void *options);
} cli_command;

typedef struct cli_common {
    const char *model, *tokenizer, *isa;
    uint64_t threads;
    bool json, quiet, help;
} cli_common;

struct cli {
    const cli_command *command;
    cli_common  common;
    const char *argument[3];   /* [n_arguments], as many as the command names */
    size_t      n_arguments;
    unsigned    isa;           /* mask for params; 0: all */
    slm_error   err;           /* of the failure that ends the command */
    const char *progress;      /* what the progress line names; NULL: none is shown */
    int         percent;       /* shown last; -1: none */
    char        model_path[4096];
};

extern const cli_command *const cli_commands[];  /* ends with NULL */
extern const cli_option cli_common_options[];

/* Reads the command line after the command's name into c and options (zeroed, command->size bytes). 0, or the exit status after
 * the message. options keeps pointers into argv. cli_options_free ends the lists. */
int cli_parse(cli *c, void *options, int argc, char **argv);
void cli_options_free(const cli_command *command, void *options);

/* Help on stdout; cli_man is all of it as a manual page in roff. */
void cli_help(const cli_command *command);
void cli_help_all(void);
void cli_man(void);

/* The name in a list (ends with NULL) that takes the fewest edits to become. */
const char *cli_nearest(const char *word, const char *const *names);

/* How a token is chosen: options of every command that generates, as rows of its table. `member` is a cli_sampling in its struct. */
typedef struct cli_sampling {
    double temp, top_p, min_p, typical, repeat_penalty, frequency_penalty, presence_penalty, dry;
    uint64_t top_k, penalty_window, seed;
} cli_sampling;
#define CLI_SAMPLING_OPTIONS(type, member) \
    CLI_HEAD("choice of the next token"), \
    { CLI_REAL,  0, "temp", "T", "0.8", 0, 1000, offsetof(type, member.temp), "temperature; 0: always the likeliest token" }, \
    { CLI_COUNT, 0, "top-k", "K", "0", 0, 4294967295.0, offsetof(type, member.top_k), "among the K likeliest; 0: all" }, \
    { CLI_REAL,  0, "top-p", "P", "0.95", 0, 1, offsetof(type, member.top_p), \
      "among the likeliest that make up P together; 0 or 1: all" }, \
    { CLI_REAL,  0, "min-p", "P", "0", 0, 1, offsetof(type, member.min_p), \
      "among those with at least P times the highest probability; 0: all" }, \
    { CLI_REAL,  0, "typical", "P", "0", 0, 1, offsetof(type, member.typical), \
      "among the most typical that make up P together; 0 or 1: all" }, \
    { CLI_REAL,  0, "repeat-penalty", "R", "1", 0.01, 100, offsetof(type, member.repeat_penalty), \
      "divides the logits of recent tokens; 1: off" }, \
    { CLI_REAL,  0, "frequency-penalty", "F", "0", -100, 100, offsetof(type, member.frequency_penalty), \
      "for each time a token was seen; 0: off" }, \
    { CLI_REAL,  0, "presence-penalty", "F", "0", -100, 100, offsetof(type, member.presence_penalty), "for a token seen at all; 0: off" }, \
    { CLI_REAL,  0, "dry", "F", "0", 0, 100, offsetof(type, member.dry), \
      "against repeating runs of tokens (multiplier of DRY); 0: off" }, \
    { CLI_COUNT, 0, "penalty-window", "N", "64", 1, 4294967295.0, offsetof(type, member.penalty_window), \
      "tokens that penalties look back" }, \
    { CLI_COUNT, 's', "seed", "S", "0", 0, 0, offsetof(type, member.seed), "another seed gives another text, the same seed the same" }
slm_sampling cli_sampling_of(const cli_sampling *options);

/* The name of why a generation ended. */
const char *cli_stop_name(slm_stop stop);

/* ---- errors and results ----------------------------------------------------------------------------------------------------- */

/* Says on one line that the command line is wrong; returns CLI_USAGE. */
int cli_usage(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills c->err; returns status. cli_fail_errno adds the system's text for errno. */
slm_status cli_fail(cli *c, slm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
slm_status cli_fail_errno(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of a command that ended with `status`: reports c->err if it failed, flushes stdout and reports if that fails. */
int cli_end(cli *c, slm_status status);

/* Text of strangers on a terminal: what is not printable UTF-8 as \xNN, so that it can move no cursor. */
void cli_put_shown(FILE *to, const char *text, size_t n);

/* One JSON object after the other, keys in the order of the calls. */
typedef struct cli_json { FILE *to; bool comma; } cli_json;
void cli_json_open(cli_json *j, const char *key, char bracket);   /* key NULL: none. The outermost is '{' */
void cli_json_shut(cli_json *j, char bracket);
void cli_json_line(cli_json *j);                                  /* ends the line of the outermost object */
void cli_json_text(cli_json *j, const char *key, const char *text, size_t n);  /* bytes that are not UTF-8 become U+FFFD */
void cli_json_word(cli_json *j, const char *key, const char *text);            /* NULL: null */
void cli_json_count(cli_json *j, const char *key, uint64_t value);
void cli_json_int(cli_json *j, const char *key, int64_t value);
void cli_json_flag(cli_json *j, const char *key, bool value);
void cli_json_real(cli_json *j, const char *key, double value, int digits);    /* digits after the point; not finite: null */
void cli_json_float(cli_json *j, const char *key, float value);                /* the fewest digits that read back as value */
void cli_json_small(cli_json *j, const char *key, double value);               /* seven digits and an exponent */

bool cli_is_utf8(const char *text, size_t n);

/* ---- input and output -------------------------------------------------------------------------------------------------------- */

/* The whole of a file, or of stdin for "-"; terminated, freed by the caller. */
slm_status cli_read_file(cli *c, const char *path, char **text, size_t *n);

/* The next line of stdin without its newline: 1, 0 at the end, -1 after cli_fail. *line is kept between calls and freed last. */
typedef struct cli_lines { char *line; size_t n, room; uint64_t number; } cli_lines;
int cli_next_line(cli *c, cli_lines *lines);

/* That line as a JSON object (released by the caller), and the bytes of its {"text"} or {"hex"} (freed by the caller). A failure names the
 * line. */
struct json_t;
slm_status cli_line_bad(cli *c, const cli_lines *lines, const char *why);
slm_status cli_line_object(cli *c, const cli_lines *lines, struct json_t **object);
slm_status cli_line_text(cli *c, const cli_lines *lines, const struct json_t *object, char **text, size_t *n);

/* "1,2, 3" or "@FILE" to ids. The list is freed by the caller. */
slm_status cli_read_ids(cli *c, const char *what, const char *text, int32_t **ids, size_t *n);

/* A file that appears whole or not at all: a temporary beside it, renamed by commit. What is there and is no regular file
 * (/dev/stdout, a pipe) is written straight. */
typedef struct cli_file { FILE *to; char *path, *temporary; } cli_file;
slm_status cli_file_open(cli *c, cli_file *f, const char *path);
slm_status cli_file_put(cli *c, cli_file *f, const void *bytes, size_t n);
slm_status cli_file_put_floats(cli *c, cli_file *f, const float *values, size_t n);  /* little-endian */
slm_status cli_file_commit(cli *c, cli_file *f);
void cli_file_abort(cli_file *f);          /* nothing after commit */
void cli_floats_to_little(float *values, size_t n);

/* ---- models ------------------------------------------------------------------------------------------------------------------ */

/* The file of -m, or the model that comes with the program. */
slm_status cli_model_path(cli *c, const char **path);
slm_status cli_open_file(cli *c, slm_file **out, bool allow_nonfinite);
slm_status cli_open_tokenizer(cli *c, slm_tokenizer **out);
slm_status cli_open_model(cli *c, slm_model **out);
slm_status cli_open_model_at(cli *c, const char *path, slm_model **out);
uint32_t cli_kv(const char *name);

slm_status cli_encode(cli *c, const slm_tokenizer *tok, const char *text, size_t len, unsigned flags, int32_t **ids, size_t *n);
slm_status cli_decode(cli *c, const slm_tokenizer *tok, const int32_t *ids, size_t n_ids, unsigned flags, char **text, size_t *n);

/* Two model files of one vocabulary over the text of a file: perplexities, and the mean KL divergence of the other from the source. */
typedef struct cli_comparison { uint64_t tokens; double source_ppl, ppl, kl; } cli_comparison;
slm_status cli_compare(cli *c, const char *source, const char *other, const char *text, cli_comparison *out);

/* The chat template in a file (--template), or the model's own; model NULL: that of the file of -m. */
slm_status cli_open_template(cli *c, const char *path, const slm_model *model, slm_template **out);
slm_status cli_encode_rendered(cli *c, const slm_tokenizer *tok, const slm_rendered *rendered, int32_t **ids, size_t *n);

/* The local time as templates want it. NULL: the system does not know. */
const char *cli_now(char now[32]);

/* For slm_progress_fn with user = c: a line on stderr if that is a terminal, and the end when interrupted. */
int cli_progress(void *c, uint64_t done, uint64_t total);
void cli_progress_clear(cli *c);

/* SIGINT and SIGTERM set a flag and cancel the session and the encoder named last; a second one ends the process. */
void cli_catch_signals(void);
void cli_cancel_session(slm_session *session);  /* NULL: none. Called again before the session is freed */
void cli_cancel_encoder(slm_encoder *encoder);  /* likewise */
slm_cancel *cli_cancel(void);                   /* of engines: set by a signal */
int cli_signal(void);                           /* the signal that came, or 0 */
void cli_keep_interrupts(void);                 /* from now on no SIGINT ends the process */
int cli_signal_fd(void);                        /* then: can be read when one came; -1: no such thing */
void cli_forget_interrupt(void);                /* one that came; any other signal stays */

/* ---- typed lines ------------------------------------------------------------------------------------------------------------- */

/* Lines of a person at a terminal, with editing and history, or of a file or pipe as they are. */
typedef struct cli_editor cli_editor;
slm_status cli_editor_new(cli *c, cli_editor **out, const char *prompt, const char *history);   /* a file to keep history in; NULL: none */
void cli_editor_free(cli_editor *e);
bool cli_editor_is_terminal(const cli_editor *e);
void cli_editor_remember(cli_editor *e, const char *line);

/* As cli_next_line; the line is valid until the next call. At a terminal Ctrl-C gives an empty line. */
int cli_editor_next(cli *c, cli_editor *e, const char **line, size_t *n);

/* ---- conversations ----------------------------------------------------------------------------------------------------------- */

typedef struct cli_turn { char *role, *text; size_t n; } cli_turn;
typedef struct cli_talk { cli_turn *turn; size_t n, room; } cli_talk;

slm_status cli_talk_add(cli *c, cli_talk *t, const char *role, const char *text, size_t n);
void cli_talk_drop(cli_talk *t, size_t at, size_t n);          /* n turns from the one at `at` on */
void cli_talk_free(cli_talk *t);

/* Puts "messages":[...] into an open object. */
void cli_talk_json(cli_json *j, const cli_talk *t);

/* A file {"messages":[{"role","content"},...]}, which only its owner may read. A file that cannot be read leaves t as it was. */
slm_status cli_talk_save(cli *c, const cli_talk *t, const char *path);
slm_status cli_talk_load(cli *c, cli_talk *t, const char *path);

double cli_clock_ms(void);

#endif
