/* settings-table.h - every setting there is, one row each
 *
 * From these rows are made: the accessors of the configuration language, the checks of
 * values, the defaults, --show-config, the packed form and the reference documentation.
 * A value on its way in or out is a GVariant: b, x, d, s, as, a{sv}, and () for nil. */
#ifndef MM_SETTINGS_TABLE_H
#define MM_SETTINGS_TABLE_H

#include <glib.h>

#include "src/settings.h"

G_BEGIN_DECLS

/* The objects of the configuration language that have items. */
typedef enum {
    MM_SCOPE_PACKAGE,
    MM_SCOPE_SECURITY,
    MM_SCOPE_LOG,
    MM_SCOPE_MANAGER,
    MM_SCOPE_CONTROLLER,
    MM_SCOPE_DATABASE,
    MM_SCOPE_DETECT,
    MM_SCOPE_CHILD, /* the block argument of define_milter */
    MM_N_SCOPES,
} MmScope;

/* What an item takes, and the C type of its field. */
typedef enum {
    MM_TYPE_BOOL,       /* gboolean */
    MM_TYPE_UINT,       /* guint, MIN to MAX */
    MM_TYPE_SIZE,       /* guint64, MIN to MAX */
    MM_TYPE_SECONDS,    /* double, MIN to MAX */
    MM_TYPE_WHOLE_SECONDS, /* guint, MIN to MAX */
    MM_TYPE_MODE,       /* guint: permission bits, also as a string of octal digits */
    MM_TYPE_STRING,     /* char * */
    MM_TYPE_SPEC,       /* char *: a connection spec */
    MM_TYPE_PATH,       /* char *: a file or directory, made absolute */
    MM_TYPE_FALLBACK,   /* MilterFallback; without quarantine for the manager's own */
    MM_TYPE_MTA,        /* MmMta */
    MM_TYPE_TIMEOUTS,   /* MmMtaTimeouts[MM_N_MTAS]: a hash by MTA, merged into what is there */
    MM_TYPE_LOG_LEVELS, /* char *: level names joined by "|" */
    MM_TYPE_FACILITY,   /* char *: a syslog facility */
    MM_TYPE_WORDS,      /* char *: words joined by spaces, also as an array */
    MM_TYPE_COMMAND,    /* char *: shell words, also as an array */
    MM_TYPE_NAMES,      /* char **: an array of names */
    MM_TYPE_CHOICE,     /* char *: one of the words in UNIT, which "|" joins */
    MM_TYPE_OPTIONS,    /* char *: "name=value,…", also as a hash */
    MM_TYPE_SECRET,     /* char *: a text that is shown as "***" */
    MM_TYPE_HASH,       /* GVariant *: a hash with any values */
} MmType;

typedef enum {
    MM_STANDING_WORKS,
    MM_STANDING_NO_EFFECT, /* meant something in 2.x; checked and shown, reported when it is set
                              to anything but its default; DOC says why */
} MmStanding;

typedef struct {
    MmScope scope;
    const char *name;
    MmType type;
    MmStanding standing;
    gboolean takes_nil;
    const char *initial; /* the default in GVariant's text format, NULL = nil */
    double min, max;     /* for numbers */
    const char *unit;    /* or NULL */
    gsize offset;        /* of the field in MmSettings, or in MmChild for MM_SCOPE_CHILD */
    const char *doc;     /* one line */
} MmItem;

extern const MmItem mm_items[];
extern const guint mm_n_items;

/* "manager", …; "milter" for MM_SCOPE_CHILD. */
const char *mm_scope_name(MmScope scope);

/* The row, or NULL. */
const MmItem *mm_item_find(MmScope scope, const char *name);

/* The name in SCOPE nearest to one that does not exist. */
const char *mm_item_nearest(MmScope scope, const char *name);

/* Check VALUE (consumed when floating, else borrowed) and store it in TARGET, an MmSettings
 * or MmChild; remember that ORIGIN ("FILE:LINE", NULL for the default) set it.  On errors
 * nothing changes; they read "manager.n_workers: "x" is not a number (0 to 1000)". */
gboolean mm_item_set(const MmItem *item, gpointer target, GVariant *value, const char *origin,
                     GError **error);

/* The value now; a new reference. */
GVariant *mm_item_get(const MmItem *item, gconstpointer target);

/* The default; a new reference. */
GVariant *mm_item_initial(const MmItem *item);

/* "FILE:LINE", or NULL while it has its default. */
const char *mm_item_origin(const MmItem *item, gconstpointer target);

/* Set every item of a fresh MmSettings or MmChild to its default, and free what items of
 * one own. */
void mm_items_init(gboolean is_child, gpointer target);
void mm_items_clear(gboolean is_child, gpointer target);

/* nil as a value; a new floating reference. */
GVariant *mm_value_nil(void);
gboolean mm_value_is_nil(GVariant *value);

/* VALUE as a Ruby literal: true, 10, 1.5, "x\n", ["a"], { "k" => 1 }, nil; modes in octal,
 * secrets as "***". */
char *mm_value_literal(GVariant *value, MmType type);

/* ORIGIN for a comment, "default" for NULL; to be freed. */
char *mm_origin_text(const char *origin);

/* An item of TARGET as a line of Ruby, "manager.n_workers = 2 # FILE:LINE" or "# default"; to be
 * freed. */
char *mm_item_text(const MmItem *item, gconstpointer target, gboolean with_secrets);

G_END_DECLS
#endif
