/* shadow.c - children that only evaluate
 *
 * A child in evaluation mode sees what it would see, but at its own pace: commands and
 * messages wait in a queue of its own, and neither its answers nor its time are the
 * mail's.  What it would have done is logged. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

#define QUEUE_MAX_BYTES (1024 * 1024) /* commands that wait */
#define QUEUE_MAX_MESSAGES 4          /* messages that wait: their bodies are held */

typedef enum {
    ITEM_COMMAND,
    ITEM_MESSAGE,
    ITEM_ABORT,
    ITEM_QUIT,
    ITEM_QUIT_NC,
} ItemKind;

typedef struct {
    ItemKind kind;
    MilterStep step;        /* of a command */
    MilterBuffer macros;    /* SMFIC_MACRO packets that belong to it */
    guint8 *payload;        /* of a command; owned */
    gsize size;
    MilterMessage *message; /* owned reference */
    guint n_message;        /* of the session; 0: before the first */
} Item;

struct _MmShadow {
    GQueue items;
    MilterMacros *macros;   /* in force for the item it works on */
    MilterMessage *waiting; /* version to be read when it is complete; owned reference */
    gsize bytes;            /* of what waits, messages apart */
    guint n_message;        /* of the item that it works on */
    guint n_messages;       /* that wait or are worked on */
    gboolean lost_track;    /* the queue was full: nothing more until the next MAIL */
};

static void
free_item(gpointer data)
{
    Item *item = data;

    milter_buffer_clear(&item->macros);
    milter_message_unref(&item->message);
    g_free(item->payload);
    g_free(item);
}

void
mm_shadow_new(MmMember *member)
{
    member->shadow = g_new0(MmShadow, 1);
    member->shadow->macros = milter_macros_new();
}

void
mm_shadow_free(MmShadow **shadow_p)
{
    MmShadow *shadow = g_steal_pointer(shadow_p);

    if (!shadow)
        return;
    g_queue_clear_full(&shadow->items, free_item);
    milter_message_unref(&shadow->waiting);
    milter_macros_free(&shadow->macros);
    g_free(shadow);
}

const MilterMacros *
mm_shadow_macros(const MmMember *member)
{
    return member->shadow->macros;
}

gboolean
mm_shadow_is_busy(const MmMember *member)
{
    if (!member->peer)
        return FALSE;
    return !g_queue_is_empty(&member->shadow->items) || mm_member_is_reading(member) ||
           (member->state != MM_MEMBER_CONNECTING && mm_member_owes(member) != MILTER_STEP_NONE);
}

static Item *
push(MmMember *member, ItemKind kind)
{
    Item *item = g_new0(Item, 1);

    item->kind = kind;
    item->n_message = member->relay->n_messages;
    g_queue_push_tail(&member->shadow->items, item);
    return item;
}

/* Two in a row say no more than one. */
static void
push_abort(MmMember *member)
{
    const Item *last = g_queue_peek_tail(&member->shadow->items);

    if (!last || last->kind != ITEM_ABORT)
        push(member, ITEM_ABORT);
}

static gsize
item_bytes(const Item *item)
{
    return sizeof(Item) + item->size + milter_buffer_size(&item->macros);
}

/* It is too slow for this session: what waits is given up, it goes on at the next MAIL. */
static void
lose_track(MmMember *member)
{
    MmShadow *shadow = member->shadow;

    shadow->lost_track = TRUE;
    milter_message_unref(&shadow->waiting);
    milter_warning("session=%u child=%s evaluation=yes cause=\"it lags behind: the rest of this "
                   "message is not shown to it\"", member->relay->tag, member->child->name);
    push_abort(member);
}

static void
take_macros(MmMember *member, Item *item, guint8 command)
{
    MilterBuffer packet = { 0 };

    (void)milter_macros_append_packet(member->relay->macros, command, NULL, &packet);
    mm_recipient_rewrite_macros(member, &packet);
    milter_buffer_append(&item->macros, milter_buffer_bytes(&packet), milter_buffer_size(&packet));
    milter_buffer_clear(&packet);
}

void
mm_shadow_command(MmMember *member, MilterStep step, const void *payload, gsize size)
{
    MmShadow *shadow = member->shadow;
    Item *item;

    if (step == MILTER_STEP_MAIL)
        shadow->lost_track = FALSE;
    if (shadow->lost_track)
        return;
    if (shadow->bytes > QUEUE_MAX_BYTES) {
        lose_track(member);
        return;
    }
    item = push(member, ITEM_COMMAND);
    item->step = step;
    item->payload = g_memdup2(payload, size);
    item->size = size;
    take_macros(member, item, milter_step_command(step));
    shadow->bytes += item_bytes(item);
}

void
mm_shadow_wait(MmMember *member, MilterMessage *message)
{
    if (!member->shadow->lost_track)
        member->shadow->waiting = milter_message_ref(message);
}

gboolean
mm_shadow_is_waiting(const MmMember *member)
{
    return member->shadow->waiting != NULL;
}

void
mm_shadow_forget(MmMember *member)
{
    milter_message_unref(&member->shadow->waiting);
}

void
mm_shadow_message(MmMember *member, MilterMessage *message)
{
    static const guint8 commands[] = { SMFIC_HEADER, SMFIC_EOH, SMFIC_BODY, SMFIC_BODYEOB };
    MmShadow *shadow = member->shadow;
    Item *item;

    if (shadow->lost_track)
        return;
    if (shadow->n_messages >= QUEUE_MAX_MESSAGES) {
        lose_track(member);
        return;
    }
    item = push(member, ITEM_MESSAGE);
    item->message = message ? milter_message_ref(message) : g_steal_pointer(&shadow->waiting);
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        take_macros(member, item, commands[i]);
    shadow->n_messages++;
}

void
mm_shadow_abort(MmMember *member)
{
    milter_message_unref(&member->shadow->waiting);
    if (member->peer)
        push_abort(member);
}

void
mm_shadow_quit(MmMember *member, gboolean is_reused)
{
    milter_message_unref(&member->shadow->waiting);
    /* One that has nothing to see yet is not kept for its good-bye, nor told of a restart. */
    if (member->state == MM_MEMBER_CONNECTING && g_queue_is_empty(&member->shadow->items)) {
        if (!is_reused)
            milter_peer_free(&member->peer);
    } else if (member->peer)
        push(member, is_reused ? ITEM_QUIT_NC : ITEM_QUIT);
}

static void
load_macros(MmMember *member, const Item *item)
{
    const guint8 *bytes = milter_buffer_bytes(&item->macros);
    gsize left = milter_buffer_size(&item->macros);
    MilterFrame frame;

    while (left && milter_frame_peek(bytes, left, MILTER_PACKET_MAX, &frame) == MILTER_FRAME_OK) {
        (void)milter_macros_set(member->shadow->macros, &frame);
        bytes += frame.wire_size;
        left -= frame.wire_size;
    }
}

static gboolean
is_out_of_message(const MmMember *member)
{
    return member->state != MM_MEMBER_ACTIVE;
}

static void
start_command(MmMember *member, const Item *item)
{
    if (item->step == MILTER_STEP_MAIL && (member->state == MM_MEMBER_ACCEPTED_MESSAGE ||
                                           member->state == MM_MEMBER_REFUSED_MESSAGE))
        member->state = MM_MEMBER_ACTIVE;
    member->shadow->bytes -= item_bytes(item);
    if (is_out_of_message(member))
        return;
    milter_macros_forget(member->shadow->macros, milter_step_command(item->step));
    load_macros(member, item);
    (void)mm_member_send(member, item->step, item->payload, item->size,
                         mm_member_timeout(member, item->step));
}

gboolean
mm_shadow_is_at_message(const MmMember *member, MilterStep step)
{
    return step == MILTER_STEP_CONNECT || step == MILTER_STEP_HELO ||
           member->shadow->n_message == member->relay->n_messages;
}

static void
start_item(MmMember *member, Item *item)
{
    member->shadow->n_message = item->n_message;
    switch (item->kind) {
    case ITEM_COMMAND:
        start_command(member, item);
        break;
    case ITEM_MESSAGE:
        if (is_out_of_message(member)) {
            member->shadow->n_messages--;
            break;
        }
        load_macros(member, item);
        member->sent_field_macros = FALSE;
        member->sent_chunk_macros = FALSE;
        mm_reading_begin(member, item->message);
        break;
    case ITEM_ABORT:
        if (member->state != MM_MEMBER_LEFT) {
            member->state = MM_MEMBER_ACTIVE;
            milter_peer_abort(member->peer);
        }
        milter_macros_end_transaction(member->shadow->macros);
        break;
    case ITEM_QUIT:
        milter_peer_quit(member->peer, FALSE);
        milter_peer_free(&member->peer);
        break;
    case ITEM_QUIT_NC:
        milter_peer_quit(member->peer, TRUE);
        member->state = MM_MEMBER_ACTIVE;
        member->last_reply = 0;
        member->skipped = 0;
        milter_macros_clear(member->shadow->macros);
        break;
    }
}

static void
finish_message(MmMember *member)
{
    if (!mm_member_is_reading(member))
        return;
    mm_member_forget_message(member);
    member->shadow->n_messages--;
}

void
mm_shadow_advance(MmMember *member)
{
    MmShadow *shadow = member->shadow;

    while (member->peer && member->state != MM_MEMBER_CONNECTING) {
        Item *item;

        if (mm_member_is_reading(member)) {
            if (!mm_reading_pump(member))
                return;
            finish_message(member);
            continue;
        }
        if (mm_member_owes(member) != MILTER_STEP_NONE)
            return;
        item = g_queue_pop_head(&shadow->items);
        if (!item)
            return;
        start_item(member, item);
        free_item(item);
    }
    if (!member->peer)
        g_queue_clear_full(&shadow->items, free_item);
}

void
mm_shadow_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply)
{
    MmVerdict verdict = { 0 };
    g_autofree char *text = NULL;

    if (reply->command == SMFIR_CONTINUE || reply->command == SMFIR_SKIP)
        return;
    mm_verdict_set(&verdict, reply);
    text = mm_verdict_text(&verdict);
    milter_info("session=%u child=%s evaluation=yes step=%s would=%s", member->relay->tag,
                member->child->name, milter_step_name(step), text);
    mm_verdict_clear(&verdict);
}
