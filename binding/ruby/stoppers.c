/* stoppers.c - see stoppers.h */
#include "config.h"
#include "binding/ruby/stoppers.h"

#include "binding/ruby/gate.h"

static GPtrArray *children;  /* MmStopperList*[MILTER_N_STEPS] */
static GHashTable *lists;    /* MmStopperList by the Array it was read from */
static GHashTable *stoppers; /* MmStopper by Plan::Stopper */
static gboolean is_uniform[MILTER_N_STEPS];

static MmStopperKind
kind_of(VALUE object)
{
    static const struct {
        const char *name;
        MmStopperKind kind;
    } kinds[] = {
        { "connect", MM_STOPPER_CONNECT },
        { "helo", MM_STOPPER_HELO },
        { "envelope_from", MM_STOPPER_ENVELOPE_FROM },
        { "envelope_recipient", MM_STOPPER_RECIPIENT },
        { "envelope", MM_STOPPER_ENVELOPE },
    };
    VALUE name = rb_struct_getmember(object, rb_intern("kind"));
    const char *text = StringValueCStr(name);

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(text, kinds[i].name))
            return kinds[i].kind;
    return MM_STOPPER_PLAIN;
}

static MmStopper *
read_stopper(VALUE object)
{
    MmStopper *stopper = g_hash_table_lookup(stoppers, (gpointer)object);
    MmStopper made;

    if (stopper)
        return stopper;
    made = (MmStopper){
        .object = object,
        .block = rb_struct_getmember(object, rb_intern("block")),
        .kind = kind_of(object),
        .fallback = NUM2INT(mm_gate_send(object, rb_intern("fallback"), 0)),
    };
    rb_gc_register_mark_object(object);
    rb_gc_register_mark_object(made.block);
    stopper = g_memdup2(&made, sizeof(made));
    g_hash_table_insert(stoppers, (gpointer)object, stopper);
    return stopper;
}

static MmStopperList *
read_list(VALUE array)
{
    MmStopperList *list = g_hash_table_lookup(lists, (gpointer)array);
    MmStopper **all;

    if (list)
        return list;
    rb_gc_register_mark_object(array);
    list = g_new0(MmStopperList, 1);
    list->all = all = g_new0(MmStopper *, (gsize)RARRAY_LEN(array));
    g_hash_table_insert(lists, (gpointer)array, list);
    for (long i = 0; i < RARRAY_LEN(array); i++) {
        all[i] = read_stopper(rb_ary_entry(array, i));
        list->n++;
    }
    return list;
}

static gboolean
find_uniform(MilterStep step)
{
    const MmStopperList *common = NULL;

    for (guint i = 0; i < children->len; i++) {
        const MmStopperList *list = mm_stoppers_of(i, step);

        if (list->n == 0)
            continue;
        if (common && common != list)
            return FALSE;
        common = list;
    }
    return common != NULL;
}

void
mm_stoppers_open(VALUE given)
{
    if (children)
        return;
    children = g_ptr_array_new();
    lists = g_hash_table_new(g_direct_hash, g_direct_equal);
    stoppers = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (long i = 0; i < RARRAY_LEN(given); i++) {
        VALUE by_step = rb_ary_entry(given, i);
        const MmStopperList **child = g_new0(const MmStopperList *, MILTER_N_STEPS);

        g_ptr_array_add(children, child);
        for (long step = 0; step < RARRAY_LEN(by_step) && step < MILTER_N_STEPS; step++)
            child[step] = read_list(rb_ary_entry(by_step, step));
    }
    for (guint step = 0; step < MILTER_N_STEPS; step++)
        is_uniform[step] = find_uniform((MilterStep)step);
}

const MmStopperList *
mm_stoppers_of(guint child, MilterStep step)
{
    static const MmStopperList none;
    const MmStopperList *const *by_step =
        child < children->len ? g_ptr_array_index(children, child) : NULL;

    return by_step && by_step[step] ? by_step[step] : &none;
}

gboolean
mm_stoppers_are_uniform(MilterStep step)
{
    return is_uniform[step];
}

int
mm_stoppers_fallback(const MmStopperList *list)
{
    int worst = 0;

    for (guint i = 0; i < list->n; i++)
        worst = MAX(worst, list->all[i]->fallback);
    return worst;
}
