/* budget.c -- an amount of money that engines share: reserved at worst before a call, settled at its true cost after.
 *
 * Costs are whole nano-dollars, rounded up for each kind of token, so that sums do not depend on their order and nothing that has a price is
 * free. Tokens go to 2^32 and prices to 1e9 for 1,000, so a product stays below 4.3e18 and four of them, divided by 1,000, far within 64 bits. */
#include "cascade/cascade.h"

#include "core/heap.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { PRICE_MOST = 1000000000 };
#define TOKENS_MOST (UINT64_C(1) << 32)

struct slm_budget {
    slm_heap heap;
    pthread_mutex_t lock;
    pid_t pid;                      /* of the process it was made in */
    slm_price *prices;              /* [n]; models are copies */
    size_t n;
    slm_price ceiling;
    bool has_ceiling;
    uint64_t total, spent, reserved, most_calls, calls, refused;
};

static slm_status check_price(const slm_price *p, const char *what, size_t i, slm_error *err)
{
    const uint64_t all[] = { p->input, p->output, p->cached, p->cache_write };
    for (size_t k = 0; k < 4; k++)
        if (all[k] > PRICE_MOST)
            return slm_fail(err, SLM_E_ARG, "budget: %s %zu: price %llu (allowed 0 .. %d nano-dollars for 1,000 tokens)", what, i,
                            (unsigned long long)all[k], PRICE_MOST);
    return SLM_OK;
}

static slm_status copy_prices(slm_budget *b, const slm_budget_params *p, slm_error *err)
{
    size_t bytes = 0;
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < p->n_prices; i++) {
        const size_t n = p->prices[i].model ? strnlen(p->prices[i].model, SLM_LIMIT_PRICE_MODEL + 1) : 0;
        if (!n || n > SLM_LIMIT_PRICE_MODEL)
            return slm_fail(err, SLM_E_ARG, "budget: price %zu: model of %zu bytes (allowed 1 .. %d)", i, n, SLM_LIMIT_PRICE_MODEL);
        bytes += n + 1;                             /* at most 1,024 x 257 */
        status = check_price(&p->prices[i], "price", i, err);
    }
    if (status || !p->n_prices)
        return status;
    b->prices = slm_heap_alloc(&b->heap, p->n_prices * sizeof *b->prices + bytes);
    if (!b->prices)
        return slm_fail(err, SLM_E_MEMORY, "budget: %zu prices", p->n_prices);
    char *text = (char *)(b->prices + p->n_prices);
    for (size_t i = 0; i < p->n_prices; i++) {
        const size_t n = strlen(p->prices[i].model) + 1;
        b->prices[i] = p->prices[i];
        b->prices[i].model = memcpy(text, p->prices[i].model, n);
        text += n;
    }
    b->n = p->n_prices;
    return SLM_OK;
}

slm_status slm_budget_new(slm_budget **out, const slm_budget_params *params, slm_error *err)
{
    slm_budget_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || (p.n_prices && !p.prices) || p.n_prices > SLM_LIMIT_PRICES || p.total > INT64_MAX)
        return slm_fail(err, SLM_E_ARG, "budget: %zu prices (allowed 0 .. %d), total %llu (allowed 0 .. 2^63 - 1)%s", p.n_prices, SLM_LIMIT_PRICES,
                        (unsigned long long)p.total, out ? "" : ", out is NULL");
    slm_budget *b = slm_heap_new_owner(sizeof *b, NULL, 0);
    if (!b)
        return slm_fail(err, SLM_E_MEMORY, "budget: %zu bytes", sizeof *b);
    b->total = p.total;
    b->most_calls = p.calls;
    b->pid = getpid();
    if (p.ceiling) {
        b->ceiling = *p.ceiling;
        b->has_ceiling = true;
        status = check_price(p.ceiling, "ceiling", 0, err);
    }
    if (!status)
        status = copy_prices(b, &p, err);
    if (!status && pthread_mutex_init(&b->lock, NULL) != 0)
        status = slm_fail(err, SLM_E_MEMORY, "budget: no lock");
    if (status) {
        slm_heap_free(&b->heap, b->prices);
        slm_heap_free_owner(b);
        return status;
    }
    *out = b;
    return SLM_OK;
}

void slm_budget_free(slm_budget *budget)
{
    if (!budget)
        return;
    (void)pthread_mutex_destroy(&budget->lock);
    slm_heap_free(&budget->heap, budget->prices);
    slm_heap_free_owner(budget);
}

/* ---- prices ---- */

static const slm_price *price_of(const slm_budget *b, const char *model)
{
    for (size_t i = 0; i < b->n; i++) {
        const char *name = b->prices[i].model;
        const size_t n = strlen(name);
        if (name[n - 1] == '*' ? strncmp(name, model, n - 1) == 0 : strcmp(name, model) == 0)
            return &b->prices[i];
    }
    return b->has_ceiling ? &b->ceiling : NULL;
}

static uint64_t cost(uint64_t tokens, uint64_t price)
{
    return (tokens * price + 999) / 1000;
}

static slm_status check_usage(const slm_usage *u, slm_error *err)
{
    if (u->prompt > TOKENS_MOST || u->output > TOKENS_MOST || u->cached > u->prompt || u->cache_write > u->prompt - u->cached)
        return slm_fail(err, SLM_E_ARG, "budget: usage of %llu tokens of prompt, %llu cached, %llu written, %llu of output",
                        (unsigned long long)u->prompt, (unsigned long long)u->cached, (unsigned long long)u->cache_write,
                        (unsigned long long)u->output);
    return SLM_OK;
}

static slm_status find_price(const slm_price **out, const slm_budget *budget, const char *model, const slm_usage *usage, slm_error *err)
{
    if (!budget || !model || !usage)
        return slm_fail(err, SLM_E_ARG, "budget: %s is NULL", !budget ? "budget" : !model ? "model" : "usage");
    slm_status status = check_usage(usage, err);
    if (status)
        return status;
    *out = price_of(budget, model);
    return *out ? SLM_OK : slm_fail(err, SLM_E_BUDGET, "budget: model '%.100s' has no price", model);
}

slm_status slm_budget_cost(const slm_budget *budget, const char *model, const slm_usage *usage, uint64_t *out, slm_error *err)
{
    const slm_price *p = NULL;
    slm_status status = find_price(&p, budget, model, usage, err);
    if (!status && !out)
        status = slm_fail(err, SLM_E_ARG, "budget: cost is NULL");
    if (status)
        return status;
    *out = cost(usage->prompt - usage->cached - usage->cache_write, p->input) + cost(usage->cached, p->cached ? p->cached : p->input) +
           cost(usage->cache_write, p->cache_write ? p->cache_write : p->input) + cost(usage->output, p->output);
    return SLM_OK;
}

/* ---- reservations ---- */

static slm_status own(const slm_budget *budget, slm_error *err)
{
    if (budget->pid != getpid())
        return slm_fail(err, SLM_E_STATE, "budget: it was made in the parent of this process");
    return SLM_OK;
}

slm_status slm_budget_reserve(slm_budget *budget, const char *model, const slm_usage *most, uint64_t *reserved, slm_error *err)
{
    const slm_price *p = NULL;
    slm_status status = find_price(&p, budget, model, most, err);
    if (status == SLM_E_BUDGET) {
        (void)pthread_mutex_lock(&budget->lock);
        budget->refused++;
        (void)pthread_mutex_unlock(&budget->lock);
    }
    if (!status)
        status = reserved ? own(budget, err) : slm_fail(err, SLM_E_ARG, "budget: reserved is NULL");
    if (status)
        return status;
    const uint64_t dearest = p->cache_write > p->input ? p->cache_write : p->input;     /* cached tokens may cost more than others, too */
    const uint64_t need = cost(most->prompt, p->cached > dearest ? p->cached : dearest) + cost(most->output, p->output);
    (void)pthread_mutex_lock(&budget->lock);
    const uint64_t used = budget->spent + budget->reserved, left = used < budget->total ? budget->total - used : 0;
    const bool calls = budget->most_calls && budget->calls >= budget->most_calls;
    if (need > left || calls)
        budget->refused++;
    else {
        budget->reserved += need;
        budget->calls++;
    }
    (void)pthread_mutex_unlock(&budget->lock);
    if (calls)
        return slm_fail(err, SLM_E_BUDGET, "budget: %llu calls are used up", (unsigned long long)budget->most_calls);
    if (need > left)
        return slm_fail(err, SLM_E_BUDGET, "budget: a call of '%.100s' may cost %llu nano-dollars, %llu of %llu are left", model,
                        (unsigned long long)need, (unsigned long long)left, (unsigned long long)budget->total);
    *reserved = need;
    return SLM_OK;
}

slm_status slm_budget_settle(slm_budget *budget, uint64_t reserved, uint64_t spent, slm_error *err)
{
    slm_status status = budget ? own(budget, err) : slm_fail(err, SLM_E_ARG, "budget is NULL");
    if (status)
        return status;
    (void)pthread_mutex_lock(&budget->lock);
    const bool fits = reserved <= budget->reserved && spent <= (uint64_t)INT64_MAX - budget->spent;
    if (fits) {
        budget->reserved -= reserved;
        budget->spent += spent;
    }
    (void)pthread_mutex_unlock(&budget->lock);
    return fits ? SLM_OK : slm_fail(err, SLM_E_ARG, "budget: settling %llu of what is not reserved, or %llu spent beyond 2^63",
                                    (unsigned long long)reserved, (unsigned long long)spent);
}

slm_status slm_budget_get_info(const slm_budget *budget, slm_budget_info *info, slm_error *err)
{
    slm_budget_info full = SLM_BUDGET_INFO_INIT;
    if (!budget)
        return slm_fail(err, SLM_E_ARG, "budget is NULL");
    slm_status status = own(budget, err);
    if (status)
        return status;
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&budget->lock;
    (void)pthread_mutex_lock(lock);
    full = (slm_budget_info){ sizeof full, budget->total, budget->spent, budget->reserved, budget->calls, budget->refused };
    (void)pthread_mutex_unlock(lock);
    return slm_params_write(info, &full, sizeof full, err);
}
