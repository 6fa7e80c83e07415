/* message.c - see message.h */
#include "config.h"
#include "libmilter-core/message.h"

#include <string.h>

static gsize
field_memory(const MilterField *field)
{
    return sizeof(MilterField) + milter_field_wire_size(field);
}

MilterField *
milter_field_new(MilterSpoolBudget *budget, const char *name, gsize name_size, const char *value,
                 gsize value_size)
{
    MilterField *field = g_malloc(sizeof(MilterField) + name_size + value_size + 2);

    g_atomic_ref_count_init(&field->refs);
    field->budget = budget;
    field->name_size = name_size;
    field->value_size = value_size;
    memcpy(field->wire, name, name_size);
    field->wire[name_size] = '\0';
    memcpy(field->wire + name_size + 1, value, value_size);
    field->wire[name_size + 1 + value_size] = '\0';
    if (budget)
        budget->memory_used += field_memory(field);
    return field;
}

MilterField *
milter_field_ref(MilterField *field)
{
    g_atomic_ref_count_inc(&field->refs);
    return field;
}

void
milter_field_unref(MilterField *field)
{
    if (!g_atomic_ref_count_dec(&field->refs))
        return;
    if (field->budget)
        field->budget->memory_used -= field_memory(field);
    g_free(field);
}

MilterMessage *
milter_message_new(gboolean has_leading_space)
{
    MilterMessage *message = g_new0(MilterMessage, 1);

    message->refs = 1;
    message->places = g_array_new(FALSE, FALSE, sizeof(MilterPlace));
    message->has_leading_space = has_leading_space;
    return message;
}

MilterMessage *
milter_message_ref(MilterMessage *message)
{
    message->refs++;
    return message;
}

void
milter_message_forget_fields(MilterMessage *message, guint n)
{
    n = MIN(n, message->places->len);
    for (guint i = 0; i < n; i++)
        milter_field_unref(milter_message_place(message, i)->field);
    if (n)
        g_array_remove_range(message->places, 0, n);
}

void
milter_message_unref(MilterMessage **message_p)
{
    MilterMessage *message = g_steal_pointer(message_p);

    if (!message || --message->refs)
        return;
    milter_message_forget_fields(message, message->places->len);
    g_array_unref(message->places);
    milter_spool_unref(&message->body);
    g_free(message);
}

MilterMessage *
milter_message_edit(MilterMessage **message_p)
{
    MilterMessage *shared = *message_p;

    if (shared->refs == 1)
        return shared;

    MilterMessage *copy = milter_message_new(shared->has_leading_space);

    g_array_append_vals(copy->places, shared->places->data, shared->places->len);
    for (guint i = 0; i < copy->places->len; i++)
        milter_field_ref(milter_message_place(copy, i)->field);
    copy->headers_over = shared->headers_over;
    copy->has_eoh = shared->has_eoh;
    copy->is_complete = shared->is_complete;
    copy->body = shared->body ? milter_spool_ref(shared->body) : NULL;
    milter_message_unref(message_p);
    *message_p = copy;
    return copy;
}

void
milter_message_insert(MilterMessage *message, guint position, MilterField *field, gboolean is_shown,
                      guint8 marks)
{
    MilterPlace place = { field, is_shown, marks };

    g_array_insert_val(message->places, MIN(position, message->places->len), place);
}

void
milter_message_set(MilterMessage *message, guint position, MilterField *field)
{
    MilterPlace *place = milter_message_place(message, position);

    milter_field_unref(place->field);
    place->field = field;
    place->is_shown = TRUE;
}

void
milter_message_remove(MilterMessage *message, guint position)
{
    milter_field_unref(milter_message_place(message, position)->field);
    g_array_remove_index(message->places, position);
}

guint
milter_message_next_field(const MilterMessage *message, guint position)
{
    while (position < message->places->len && !milter_message_place(message, position)->is_shown)
        position++;
    return position;
}

void
milter_message_set_body(MilterMessage *message, MilterSpool *body)
{
    milter_spool_unref(&message->body);
    message->body = body;
}
