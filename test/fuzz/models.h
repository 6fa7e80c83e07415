/* models.h - the header list of Postfix and of Sendmail, as slow models
 *
 * Written from what the MTAs do (Postfix 3.7.11 cleanup_milter.c and milter8.c, Sendmail
 * 8.17.1.9 milter.c and headers.c), not from the dialects they test. */
#ifndef TEST_FUZZ_MODELS_H
#define TEST_FUZZ_MODELS_H

#include <glib.h>

#define MODEL_FIELDS_MAX 200

typedef struct {
    char *name;
    char *value;       /* what comes behind the colon; NULL: deleted (Sendmail) */
    gboolean is_user;  /* Sendmail's H_USER: counted and shown; Postfix: not its own field */
    gboolean is_trace; /* Sendmail's H_TRACE */
} ModelField;

typedef struct {
    gboolean is_sendmail;
    guint n;
    ModelField fields[MODEL_FIELDS_MAX];
} Model;

void model_init(Model *model, gboolean is_sendmail);
void model_clear(Model *model);
/* A field of the message, as it arrived. */
void model_arrive(Model *model, const char *name, const char *value);

/* A filter is about to be shown the headers. */
void model_show_begin(Model *model);
/* Whether a field is shown, and its value (with the leading space or without one). */
const char *model_shown(const Model *model, guint i, gboolean leading_space);

/* A filter's SMFIR_ADDHEADER, _INSHEADER or _CHGHEADER. */
void model_edit(Model *model, guint8 reply, guint32 index, const char *name, const char *value,
                gboolean leading_space);

#endif
