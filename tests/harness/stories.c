/* stories.c -- see stories.h. */
#include "harness/stories.h"

#include "session/constraint.h"

slm_model *stories;

int stories_open(void **state)
{
    (void)state;
    return slm_model_open(&stories, STORIES, NULL, NULL) ? -1 : 0;
}

int stories_close(void **state)
{
    (void)state;
    slm_model_free(stories);
    stories = NULL;
    return 0;
}

int stories_fit(slm_constraint *constraint, const char *text, size_t n)
{
    slm_place place;
    slm_fit fit;
    slm_error err = { 0 };
    check_status(slm_place_init(&place, constraint, &err), SLM_OK, &err);
    check_status(slm_place_step(&place, (const uint8_t *)text, n, SIZE_MAX, &fit, &err), SLM_OK, &err);
    const int answer = fit == SLM_FIT_TAKEN ? place.accepts : -1;
    slm_place_free(&place);
    return answer;
}
