/* template.h -- the inside of chat templates: the code that template_parse.c makes and template_run.c runs.
 *
 * The language is the part of Jinja that chat templates use (docs/templates.md). Source becomes code for a stack machine at once,
 * without a tree: operators wait on a stack of the parser until their right side is known, statements on another. Neither the
 * parser nor the machine recurses. All jumps are relative to the jump itself, so that a stretch of code can be moved: of
 * `a if c else b`, a is compiled first and must run second. */
#ifndef SLM_TEXT_TEMPLATE_H
#define SLM_TEXT_TEMPLATE_H

#include "text/value.h"

typedef enum slm_op {
    SLM_OP_END,
    SLM_OP_PRINT_CONST,   /* arg: constant; literal text to the output */
    SLM_OP_PRINT,         /* pops a value */
    SLM_OP_CONST,         /* arg: constant */
    SLM_OP_NONE, SLM_OP_TRUE, SLM_OP_FALSE,
    SLM_OP_UNDEFINED,
    SLM_OP_LOAD,          /* arg: name */
    SLM_OP_STORE,         /* arg: name; pops */
    SLM_OP_STORE_ATTR,    /* arg: name of a namespace, more: constant; pops */
    SLM_OP_UNPACK,        /* arg: n; pops one value, pushes its n items, the first on top */
    SLM_OP_ATTR,          /* arg: constant; a.b */
    SLM_OP_ITEM,          /* a[b] */
    SLM_OP_SLICE,         /* arg: mask of the parts that are there: 1 begin, 2 end, 4 step */
    SLM_OP_LIST, SLM_OP_TUPLE, SLM_OP_DICT,   /* arg: n; of pairs for DICT */
    SLM_OP_NOT, SLM_OP_NEGATE, SLM_OP_PLUS,
    SLM_OP_ADD, SLM_OP_SUB, SLM_OP_MUL, SLM_OP_DIV, SLM_OP_FLOORDIV, SLM_OP_MOD, SLM_OP_POW, SLM_OP_CONCAT,
    SLM_OP_EQ, SLM_OP_NE, SLM_OP_LT, SLM_OP_LE, SLM_OP_GT, SLM_OP_GE, SLM_OP_IN, SLM_OP_NOT_IN,
    SLM_OP_AND, SLM_OP_OR,   /* arg: jump if the top decides, which stays; else it is popped */
    SLM_OP_JUMP, SLM_OP_JUMP_FALSE,           /* arg: jump; the second pops */
    SLM_OP_FILTER, SLM_OP_TEST, SLM_OP_METHOD, /* arg: constant, the name; pos, named: arguments */
    SLM_OP_CALL,          /* pos, named */
    SLM_OP_FOR,           /* arg: jump if there is nothing; pops what to go through */
    SLM_OP_SELECT,        /* as FOR, for the condition of a loop: pushes an empty list and jumps if there is nothing */
    SLM_OP_ITEM_OF_LOOP,  /* pushes the item the innermost loop is at */
    SLM_OP_NEXT,          /* arg: jump if there is a next item; else the loop ends */
    SLM_OP_SELECT_NEXT,   /* the same; pops whether to keep the item; at the end pushes the list of those kept */
    SLM_OP_LEAVE,         /* ends the innermost loop */
    SLM_OP_MACRO,         /* arg: macro; binds its name */
    SLM_OP_DEFAULT,       /* arg: jump if parameter `pos` was given */
    SLM_OP_RETURN,
    SLM_OP_CAPTURE, SLM_OP_CAPTURED,          /* output between goes into a string, which is pushed */
    SLM_OP_SCOPE, SLM_OP_SCOPE_END
} slm_op;

typedef struct slm_code {
    uint8_t  op, named;
    uint16_t pos;
    int32_t  arg;
    uint32_t line;
    uint32_t more;
} slm_code;

typedef struct slm_const {      /* a string if type is SLM_V_STRING: `at` is its place in the blob */
    slm_value value;
    size_t at;
} slm_const;

enum { SLM_MACRO_PARAMS = 64 }; /* a call has a bit for each */

typedef struct slm_macro {
    uint32_t name;
    uint32_t first, n;          /* parameters: names in `params` */
    uint32_t body;              /* code */
} slm_macro;

/* A growing array of any type in a buf. */
#define SLM_ARRAY(type, buf) ((type *)(void *)(buf).data)
#define SLM_COUNT(type, buf) ((buf).size / sizeof(type))

struct slm_template {
    slm_heap heap;              /* first: slm_heap_new_owner */
    slm_allocator allocator;
    bool     has_allocator;
    uint64_t memory_limit;
    slm_buf  source;            /* newlines are \n */
    slm_buf  blob;              /* texts of constants and names */
    slm_buf  code;              /* slm_code */
    slm_buf  consts;            /* slm_const */
    slm_buf  names;             /* slm_const: variables by number */
    slm_buf  macros;            /* slm_macro */
    slm_buf  params;            /* uint32_t */
};

/* Compiles the source, which is in t->source. SLM_E_FORMAT, SLM_E_UNSUPPORTED, SLM_E_LIMIT, with the line. */
slm_status slm_template_parse(slm_template *t, slm_error *err);

/* The number of a variable, or UINT32_MAX if the template does not know it. */
uint32_t slm_template_name(const slm_template *t, const void *bytes, size_t n);

/* What the caller of a rendering gives and gets. */
typedef struct slm_rendering {
    const slm_template *tmpl;
    slm_value *globals;         /* [names]; SLM_V_UNSET where nothing was given */
    const char *now;            /* NULL: strftime_now is an error */
    slm_buf *text, *kinds;      /* the output, a kind for each byte */
} slm_rendering;

/* Runs the code. The store's fuel is used up as it goes. */
slm_status slm_template_run(slm_store *store, const slm_rendering *rendering);

/* ---- functions the machine calls by name (template_call.c) ---- */

enum { SLM_ARGS = 4 };

/* The arguments of one call in the order of the callee's parameters; NULL: not given. */
typedef struct slm_call {
    slm_store *store;
    const char *now;
    const slm_value *arg[SLM_ARGS];
} slm_call;

typedef enum slm_callee { SLM_CALL_FILTER, SLM_CALL_TEST, SLM_CALL_METHOD, SLM_CALL_FUNCTION } slm_callee;

/* Calls the filter, test or method of that name on `self` with pos arguments, then `named` pairs of name and value. */
slm_status slm_call_named(slm_store *store, slm_callee callee, const slm_value *name, const slm_value *self, const slm_value *args, size_t pos,
                          size_t named, slm_value *out);

/* The functions every template knows: numbers 0 .. SLM_FUNCTIONS-1; namespace is the machine's own. */
enum { SLM_FN_NAMESPACE, SLM_FN_RAISE, SLM_FN_STRFTIME, SLM_FN_RANGE, SLM_FN_DICT, SLM_FUNCTIONS };
extern const char *const slm_function_names[SLM_FUNCTIONS];
slm_status slm_call_function(slm_store *store, int64_t number, const char *now, const slm_value *args, size_t pos, size_t named, slm_value *out);

/* ---- what a.b, a[b] and `in` mean (template_access.c) ---- */

/* Has a value of this type a method of that name: 0 no, 1 yes, -1 one that would change it, which templates may not see. */
int slm_method_known(const slm_value *self, const void *name, size_t n);

/* a.b, a[b]; `message` of the undefined that comes of it is the name. */
slm_status slm_value_attr(slm_store *store, const slm_value *self, const slm_value *name, slm_value *out);
slm_status slm_value_item(slm_store *store, const slm_value *self, const slm_value *key, slm_value *out);
slm_status slm_value_contains(slm_store *store, const slm_value *in, const slm_value *what, bool *found);

/* ---- template_time.c ---- */

/* An ISO 8601 time: does it have the form. */
bool slm_time_valid(const char *now);

#endif
