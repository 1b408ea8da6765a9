/* template_time.c -- the function strftime_now: an ISO 8601 time the caller gave, in the form a template asks for. */
#include "text/template_call.h"

#include <string.h>

typedef struct when { int year, month, day, hour, minute, second; } when;

static bool digits(const char **s, int n, int *v)
{
    for (*v = 0; n > 0; n--, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *v = *v * 10 + (**s - '0');
    }
    return true;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* YYYY-MM-DD, then T or a space and HH:MM with or without :SS and a fraction, then Z or +HH:MM, which changes nothing. */
static bool read_time(const char *s, when *w)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int zone;
    *w = (when){ 0, 0, 0, 0, 0, 0 };
    if (!digits(&s, 4, &w->year) || *s++ != '-' || !digits(&s, 2, &w->month) || *s++ != '-' || !digits(&s, 2, &w->day))
        return false;
    if (w->month < 1 || w->month > 12 || w->day < 1 || w->day > days[w->month - 1] - (w->month == 2 && !leap(w->year)))
        return false;
    if (*s == 'T' || *s == ' ') {
        s++;
        if (!digits(&s, 2, &w->hour) || *s++ != ':' || !digits(&s, 2, &w->minute) || w->hour > 23 || w->minute > 59)
            return false;
        if (*s == ':') {
            s++;
            if (!digits(&s, 2, &w->second) || w->second > 60)
                return false;
            if (*s == '.')
                for (s++; *s >= '0' && *s <= '9'; s++)
                    ;
        }
        if (*s == 'Z') {
            s++;
        } else if (*s == '+' || *s == '-') {
            s++;
            if (!digits(&s, 2, &zone))
                return false;
            s += *s == ':';
            if (!digits(&s, 2, &zone))
                return false;
        }
    }
    return !*s;
}

bool slm_time_valid(const char *now)
{
    when w;
    return read_time(now, &w);
}

static int day_of_year(const when *w)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    return before[w->month - 1] + w->day + (w->month > 2 && leap(w->year));
}

static int weekday(const when *w)       /* 0: Sunday; the Gregorian calendar all the way back */
{
    const int y = w->year + 399;        /* the years before this one and 400 more, which are a whole number of weeks: never negative */
    return (day_of_year(w) + y * 365 + y / 4 - y / 100 + y / 400) % 7;
}

static void put_number(slm_text *t, int v, int width, char pad)
{
    char text[8];
    int n = 0;
    for (int left = v; n < width || left || !n; left /= 10, n++)
        if (left || n == 0)
            text[7 - n] = (char)('0' + left % 10);
        else
            text[7 - n] = pad;
    slm_text_add(t, text + 8 - n, (size_t)n, SLM_CONTENT);
}

/* One conversion; false for one that is not known. `plain`: without a leading zero (%-d). */
static bool put_time(slm_text *t, char what, bool plain, const when *w)
{
    static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
    static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                                          "November", "December" };
    const int two = plain ? 0 : 2;
    const char *name = what == 'a' || what == 'A' ? days[weekday(w)] : months[w->month - 1];
    switch (what) {
    case 'Y': put_number(t, w->year, plain ? 0 : 4, '0'); return true;
    case 'y': put_number(t, w->year % 100, two, '0'); return true;
    case 'm': put_number(t, w->month, two, '0'); return true;
    case 'd': put_number(t, w->day, two, '0'); return true;
    case 'e': put_number(t, w->day, two, ' '); return true;
    case 'H': put_number(t, w->hour, two, '0'); return true;
    case 'I': put_number(t, (w->hour + 11) % 12 + 1, two, '0'); return true;
    case 'M': put_number(t, w->minute, two, '0'); return true;
    case 'S': put_number(t, w->second, two, '0'); return true;
    case 'j': put_number(t, day_of_year(w), plain ? 0 : 3, '0'); return true;
    case 'p': slm_text_add(t, w->hour < 12 ? "AM" : "PM", 2, SLM_CONTENT); return true;
    case '%': slm_text_add(t, "%", 1, SLM_CONTENT); return true;
    case 'a': case 'b': case 'h': slm_text_add(t, name, 3, SLM_CONTENT); return true;
    case 'A': case 'B': slm_text_add(t, name, strlen(name), SLM_CONTENT); return true;
    default: return false;
    }
}

slm_status slm_call_strftime(slm_call *c, slm_value *out)
{
    const slm_value *format = c->arg[0];
    when w;
    slm_status status = slm_call_want_string(c, format, "strftime_now");
    if (status)
        return status;
    if (!c->now)
        return slm_store_fail(c->store, SLM_E_ARG, "strftime_now: the caller gave no time");
    (void)read_time(c->now, &w);                /* it has the form: slm_template_render looked */
    slm_text t = slm_text_begin(c->store);
    for (size_t i = 0; i < format->n && !t.status; i++) {
        const char *const wholes[] = { "F%Y-%m-%d", "T%H:%M:%S", "D%m/%d/%y", "R%H:%M" };
        const char *whole = NULL;
        if (format->as.text[i] != '%') {
            slm_text_part(&t, format, i, i + 1);
            continue;
        }
        const bool plain = ++i < format->n && format->as.text[i] == '-';
        i += plain;
        const char what = i < format->n ? (char)format->as.text[i] : 0;
        for (size_t k = 0; k < sizeof wholes / sizeof *wholes; k++)
            if (wholes[k][0] == what)
                whole = wholes[k] + 1;
        for (; whole && *whole; whole++) {
            if (*whole == '%')
                (void)put_time(&t, *++whole, false, &w);
            else
                slm_text_add(&t, whole, 1, SLM_CONTENT);
        }
        if (!whole && !put_time(&t, what, plain, &w))
            return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "strftime_now with %%%c is not supported", what > ' ' && what < 127 ? what : '?');
    }
    return slm_text_end(&t, out);
}
