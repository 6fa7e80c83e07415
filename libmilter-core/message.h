/* message.h - one message as the chain of children passes it on
 *
 * Headers as wire payloads, each with an identity, and a body in a spool.  A
 * MilterMessage is a *version*: children that read it hold a reference, and whoever
 * edits while others read works on a copy (milter_message_edit).  Knows bytes and
 * order, not what an edit means to an MTA: that is the dialect's. */
#ifndef MILTER_MESSAGE_H
#define MILTER_MESSAGE_H

#include "libmilter-core/command.h"
#include "libmilter-core/spool.h"

G_BEGIN_DECLS

/* One header field.  Reference-counted and constant once made. */
typedef struct {
    gatomicrefcount refs;
    MilterSpoolBudget *budget; /* whose memory it counts against; borrowed, may be NULL */
    gsize name_size;  /* bytes of the name, without NUL */
    gsize value_size; /* bytes of the value, without NUL */
    char wire[];      /* SMFIC_HEADER payload: name NUL value NUL */
} MilterField;

/* One place in the list.  A place that is not shown holds a field only for its name: it
 * was deleted, or only the MTA knows the value. */
typedef struct {
    MilterField *field;
    gboolean is_shown; /* children see it */
    guint8 marks;      /* the dialect's bits */
} MilterPlace;

typedef struct {
    guint refs;
    GArray *places;     /* MilterPlace, in the order of the MTA's list */
    MilterSpool *body;  /* NULL while there was none */
    gboolean has_leading_space; /* values carry it (SMFIP_HDR_LEADSPC on the MTA's leg) */
    gboolean headers_over;      /* no more fields will come */
    gboolean has_eoh;           /* the MTA sent EOH */
    gboolean is_complete;       /* the MTA sent EOM */
} MilterMessage;

/* A field with one reference; name and value are copied and counted against BUDGET. */
MilterField *milter_field_new(MilterSpoolBudget *budget, const char *name, gsize name_size,
                              const char *value, gsize value_size);
MilterField *milter_field_ref(MilterField *field);
void milter_field_unref(MilterField *field);
/* Size of name and value with their NULs, as in a packet's payload. */
static inline gsize
milter_field_wire_size(const MilterField *field)
{
    return field->name_size + 1 + field->value_size + 1;
}
/* The value; the name is what WIRE begins with. */
static inline const char *
milter_field_value(const MilterField *field)
{
    return field->wire + field->name_size + 1;
}

/* A message without fields, with one reference. */
MilterMessage *milter_message_new(gboolean has_leading_space);
MilterMessage *milter_message_ref(MilterMessage *message);
void milter_message_unref(MilterMessage **message_p);

/* A version nobody else holds, for editing: the same one when it is not shared, else a
 * copy that takes its place in *message_p.  The body is shared. */
MilterMessage *milter_message_edit(MilterMessage **message_p);

/* Take FIELD (its reference) in at POSITION (from 0; at the end when beyond). */
void milter_message_insert(MilterMessage *message, guint position, MilterField *field,
                           gboolean is_shown, guint8 marks);
/* Put FIELD (its reference) in place of what is at POSITION, shown. */
void milter_message_set(MilterMessage *message, guint position, MilterField *field);
/* Take the place out of the list. */
void milter_message_remove(MilterMessage *message, guint position);
/* Take the first N places out of the list. */
void milter_message_forget_fields(MilterMessage *message, guint n);

/* The place at POSITION, which must be there; valid until the list changes. */
static inline MilterPlace *
milter_message_place(const MilterMessage *message, guint position)
{
    return &g_array_index(message->places, MilterPlace, position);
}

/* The first place at or after POSITION that is shown; the length of the list when none. */
guint milter_message_next_field(const MilterMessage *message, guint position);

/* Replace the body; takes over the reference (NULL: no body). */
void milter_message_set_body(MilterMessage *message, MilterSpool *body);

G_END_DECLS
#endif
