/* cli_edit.c -- lines that a person types, with libedit's editing and history; what is no terminal gives its lines as they are.
 *
 * While a line is edited the terminal makes no signal of Ctrl-C: it is a key that drops the line. Between two lines the terminal is
 * as it was found, and Ctrl-C is the signal again that ends an answer. Bytes are read here and not by libedit, which would
 * try again when SIGTERM breaks off a read, and would not see one that came just before. */
#include "cli.h"

#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { REMEMBERED = 1000 };

struct cli_editor {
    EditLine *el;          /* NULL: no terminal */
    History *history;
    const char *prompt, *file;
    bool dropped;          /* Ctrl-C ended the line */
    cli_lines lines;       /* without a terminal */
};

static cli_editor *editor_of(EditLine *el)
{
    void *e = NULL;
    (void)el_get(el, EL_CLIENTDATA, &e);
    return e;
}

/* A plain char * is what libedit wants of a prompt. */
static char *show_prompt(EditLine *el)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "%s", editor_of(el)->prompt);
    return text;
}

static unsigned char drop_line(EditLine *el, int key)
{
    (void)key;
    editor_of(el)->dropped = true;
    return CC_NEWLINE;
}

static unsigned char suspend(EditLine *el, int key)
{
    (void)el;
    (void)key;
    (void)raise(SIGTSTP);
    return CC_REDISPLAY;
}

/* Waits until there is something to read; false when a signal came, also one that came before, or to another thread. */
static bool wait_for_input(void)
{
    struct pollfd from[2] = { { STDIN_FILENO, POLLIN, 0 }, { cli_signal_fd(), POLLIN, 0 } };
    while (!cli_signal())
        if (poll(from, 2, -1) > 0 && from[0].revents)
            return true;
    return false;
}

/* One character: 1, 0 at the end of the input, -1 when a signal came. */
static int read_character(EditLine *el, wchar_t *out)
{
    char bytes[MB_LEN_MAX];
    size_t n = 0;
    (void)el;
    for (;;) {
        if (!wait_for_input())
            return -1;
        const ssize_t got = read(STDIN_FILENO, bytes + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        mbstate_t state;
        memset(&state, 0, sizeof state);
        const size_t used = mbrtowc(out, bytes, ++n, &state);
        if (used == (size_t)-2 && n < sizeof bytes)
            continue;
        if (used == (size_t)-1 || used == (size_t)-2)
            *out = L'?';
        return 1;
    }
}

static bool set_up(cli_editor *e)
{
    HistEvent event;
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
        (void)setlocale(LC_CTYPE, "C.UTF-8");           /* an answer is UTF-8, and so is what is typed */
    e->el = el_init("slm", stdin, isatty(STDOUT_FILENO) ? stdout : stderr, stderr);
    e->history = history_init();
    if (!e->el || !e->history || history(e->history, &event, H_SETSIZE, REMEMBERED) < 0)
        return false;
    (void)history(e->history, &event, H_SETUNIQUE, 1);
    if (e->file)
        (void)history(e->history, &event, H_LOAD, e->file);     /* the first time there is none */
    return !el_set(e->el, EL_CLIENTDATA, e) && !el_set(e->el, EL_PROMPT, show_prompt) && !el_set(e->el, EL_EDITOR, "emacs") &&
           !el_set(e->el, EL_SIGNAL, 1) && !el_set(e->el, EL_HIST, history, e->history) && !el_set(e->el, EL_GETCFN, read_character) &&
           !el_set(e->el, EL_ADDFN, "drop-line", "ends the line and forgets it", drop_line) &&
           !el_set(e->el, EL_BIND, "^C", "drop-line", NULL) && !el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL) &&
           !el_set(e->el, EL_ADDFN, "suspend", "as the shell's Ctrl-Z", suspend) && !el_set(e->el, EL_BIND, "^Z", "suspend", NULL) &&
           !el_set(e->el, EL_SETTY, "-d", "-isig", NULL);
}

slm_status cli_editor_new(cli *c, cli_editor **out, const char *prompt, const char *file)
{
    cli_editor *e = calloc(1, sizeof *e);
    if (!e)
        return cli_fail(c, SLM_E_MEMORY, "no memory for a line");
    e->prompt = prompt;
    e->file = file;
    if (isatty(STDIN_FILENO) && !set_up(e)) {
        e->file = NULL;
        cli_editor_free(e);
        return cli_fail(c, SLM_E_IO, "the terminal cannot be set up for typing");
    }
    *out = e;
    return SLM_OK;
}

void cli_editor_free(cli_editor *e)
{
    HistEvent event;
    if (!e)
        return;
    if (e->history && e->file && history(e->history, &event, H_SAVE, e->file) < 0)
        fprintf(stderr, "slm: the history cannot be written to %s\n", e->file);
    if (e->el)
        el_end(e->el);
    if (e->history)
        history_end(e->history);
    free(e->lines.line);
    free(e);
}

bool cli_editor_is_terminal(const cli_editor *e)
{
    return e->el != NULL;
}

void cli_editor_remember(cli_editor *e, const char *line)
{
    HistEvent event;
    if (e->history && line[strspn(line, " \t\n")])
        (void)history(e->history, &event, H_ENTER, line);
}

int cli_editor_next(cli *c, cli_editor *e, const char **line, size_t *n)
{
    if (!e->el) {
        const int more = cli_next_line(c, &e->lines);
        *line = e->lines.line;
        *n = e->lines.n;
        return more;
    }
    int count = 0;
    e->dropped = false;
    const char *typed = el_gets(e->el, &count);
    if (cli_signal() == SIGINT) {                       /* from elsewhere: as if it had been typed */
        cli_forget_interrupt();
        el_reset(e->el);
        e->dropped = true;
        typed = "";
        count = 1;
    }
    if (cli_signal()) {
        cli_fail(c, SLM_E_CANCELLED, "stdin");
        return -1;
    }
    if (!typed || count <= 0)
        return 0;
    *line = e->dropped ? "" : typed;
    *n = e->dropped ? 0 : (size_t)count;
    while (*n && ((*line)[*n - 1] == '\n' || (*line)[*n - 1] == '\r'))
        --*n;
    if (e->dropped)
        fputc('\n', stdout);
    else
        cli_editor_remember(e, typed);
    return 1;
}
