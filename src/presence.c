/* presence.c - see presence.h */
#include "config.h"
#include "src/presence.h"

#include <string.h>

#include "libmilter-core/command.h"
#include "libmilter-core/log.h"
#include "src/relay-internal.h"
#include "libmilter-core/tcp-table.h"

#define FACTS_MAX (256 * 1024) /* bytes of CONNECT and its macros */

/* The client of one session. */
typedef struct {
    MmRelay *relay; /* borrowed */
    MilterTcpEnd end;
    gboolean has_end;     /* it is one of TCP */
    gboolean was_seen;    /* END was in the kernel's table */
    guint8 now;           /* Seen, at the check that is under way */
    gboolean is_gone;     /* decided; nothing more is asked about it */
    gboolean is_known;    /* CONNECT came: what follows is of another session */
    GByteArray *facts;    /* packets for the connection checkers; owned, or NULL */
    gpointer next_of_end; /* Client: another one with the same END */
} Client;

typedef enum { SEEN_NOT, SEEN_CLOSED, SEEN_OPEN } Seen;

struct _MmPresence {
    const MmRules *rules;
    const MmSettings *settings;
    MilterLoop *loop; /* borrowed, NULL while detached */
    MilterTimer timer;
    GHashTable *clients;   /* MmRelay → Client; owned */
    gboolean is_checking;  /* the Ruby thread has not answered yet */
    gboolean has_warned;   /* that the table cannot be read */
    GMutex lock;           /* of ANSWER and of LOOP's end */
    MmClientCheck *answer; /* from the Ruby thread; owned */
    ev_async arrived;
};

static void
free_client(gpointer data)
{
    Client *client = data;

    g_clear_pointer(&client->facts, g_byte_array_unref);
    g_free(client);
}

static void
free_check(MmClientCheck *check)
{
    if (!check)
        return;
    for (guint i = 0; i < check->n_clients; i++)
        g_byte_array_unref(check->clients[i].facts);
    g_free(check->clients);
    g_free(check);
}

/* --- a client that has gone --- */

static gboolean
is_waiting(const MmRelay *relay)
{
    if (!relay->session || !relay->is_negotiated)
        return FALSE;
    if (relay->transaction && relay->transaction->is_delivering)
        return FALSE;
    return relay->holds_mta || milter_session_owed(relay->session) != MILTER_STEP_NONE;
}

static void
set_verdict(const MmRelay *relay, MilterFallback fallback, MilterStep step, MmVerdict *verdict)
{
    mm_verdict_of_fallback(verdict, fallback, relay->mta, step, FALSE);
    /* Not "continue": the children would be asked about the next command. */
    if (!mm_verdict_is_set(verdict))
        mm_verdict_set_plain(verdict, SMFIR_ACCEPT);
}

/* Take back what children are asked; their names. */
static char *
abort_children(MmRelay *relay)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (member->shadow || mm_member_owes(member) == MILTER_STEP_NONE)
            continue;
        g_string_append_printf(names, "%s%s", names->len ? " " : "", member->child->name);
        mm_member_abort(member);
        member->was_aborted = TRUE;
    }
    return g_string_free(names, FALSE);
}

static void
answer_for(Client *client, const char *how)
{
    MmRelay *relay = client->relay;
    MilterFallback fallback = relay->host->settings->fallback_at_disconnect;
    MilterStep step = milter_session_owed(relay->session);
    MmVerdict verdict = { 0 }, later = { 0 };
    g_autofree char *names = abort_children(relay);
    g_autofree char *text = NULL;

    client->is_gone = TRUE;
    if (step == MILTER_STEP_NONE)
        step = relay->step;
    set_verdict(relay, fallback, step, &verdict);
    text = mm_verdict_text(&verdict);
    milter_info("session=%u step=%s client=gone reason=\"%s\" waited_for=\"%s\" answer=%s",
                relay->tag, step == MILTER_STEP_NONE ? "none" : milter_step_name(step), how, names,
                text);
    mm_relay_answer(relay, &verdict);
    /* What the client has sent ahead gets the same; a discard there would be of no message. */
    set_verdict(relay,
                fallback == MILTER_FALLBACK_DISCARD ? MILTER_FALLBACK_TEMPORARY_FAILURE : fallback,
                MILTER_STEP_MAIL, &later);
    mm_verdict_copy(&relay->connection_refusal, &later);
    mm_verdict_clear(&verdict);
    mm_verdict_clear(&later);
}

/* --- the kernel's table --- */

static void
on_found(const MilterTcpEnd *local, const MilterTcpEnd *remote, gboolean is_open, gpointer data)
{
    Client *client = g_hash_table_lookup(data, remote);

    for (; client; client = client->next_of_end)
        client->now = MAX(client->now, is_open ? SEEN_OPEN : SEEN_CLOSED);
}

/* By their ends: those to look for. */
static GHashTable *
clients_by_end(MmPresence *presence)
{
    GHashTable *by_end = g_hash_table_new(milter_tcp_end_hash, milter_tcp_end_equal);
    GHashTableIter iter;
    Client *client;

    g_hash_table_iter_init(&iter, presence->clients);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&client)) {
        if (!client->has_end || client->is_gone || !client->relay->session)
            continue;
        client->now = SEEN_NOT;
        client->next_of_end = g_hash_table_lookup(by_end, &client->end);
        g_hash_table_replace(by_end, &client->end, client);
    }
    return by_end;
}

/* Why a client that was looked for has gone; NULL: it has not, as far as we know. */
static const char *
judge(Client *client)
{
    if (client->now == SEEN_OPEN)
        client->was_seen = TRUE;
    if (client->now == SEEN_CLOSED)
        return "closed the connection";
    return client->now == SEEN_NOT && client->was_seen ? "the connection is gone" : NULL;
}

static void
look_into_table(MmPresence *presence)
{
    GHashTable *by_end = clients_by_end(presence);
    g_autoptr(GError) error = NULL;
    GHashTableIter iter;
    Client *client;

    if (g_hash_table_size(by_end) == 0 || milter_tcp_table_read(on_found, by_end, &error)) {
        presence->has_warned = FALSE;
        g_hash_table_iter_init(&iter, by_end);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&client)) {
            for (; client; client = client->next_of_end) {
                const char *how = judge(client);

                if (how && is_waiting(client->relay))
                    answer_for(client, how);
            }
        }
    } else if (!presence->has_warned) {
        presence->has_warned = TRUE;
        milter_warning("manager.connection_check_interval: %s", error->message);
    }
    g_hash_table_unref(by_end);
}

/* --- connection checkers --- */

static void
ask_checkers(MmPresence *presence)
{
    GArray *asked = g_array_new(FALSE, FALSE, sizeof(MmCheckedClient));
    MmClientCheck *check;
    GHashTableIter iter;
    Client *client;

    g_hash_table_iter_init(&iter, presence->clients);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&client)) {
        MmCheckedClient about = { .session = client->relay->tag };

        if (client->is_gone || !client->is_known || !client->facts || !is_waiting(client->relay))
            continue;
        about.facts = g_byte_array_ref(client->facts);
        g_array_append_val(asked, about);
    }
    if (asked->len == 0) {
        g_array_free(asked, TRUE);
        return;
    }
    check = g_new0(MmClientCheck, 1);
    check->n_clients = asked->len;
    check->clients = (MmCheckedClient *)(void *)g_array_free(asked, FALSE);
    presence->is_checking = TRUE;
    presence->rules->check_clients(check);
}

/* In the Ruby thread. */
static void
on_checked(MmClientCheck *check, gpointer data)
{
    MmPresence *presence = data;

    g_mutex_lock(&presence->lock);
    free_check(presence->answer);
    presence->answer = check;
    if (presence->loop)
        ev_async_send(milter_loop_ev(presence->loop), &presence->arrived);
    g_mutex_unlock(&presence->lock);
}

static gboolean
is_of_session(gpointer relay, gpointer client, gpointer session)
{
    return ((MmRelay *)relay)->tag == GPOINTER_TO_UINT(session);
}

static void
on_arrived(struct ev_loop *ev, ev_async *watch, int events)
{
    MmPresence *presence = watch->data;
    MmClientCheck *check;

    g_mutex_lock(&presence->lock);
    check = g_steal_pointer(&presence->answer);
    g_mutex_unlock(&presence->lock);
    presence->is_checking = FALSE;
    for (guint i = 0; check && i < check->n_clients; i++) {
        Client *client;

        if (!check->clients[i].is_gone)
            continue;
        client = g_hash_table_find(presence->clients, is_of_session,
                                   GUINT_TO_POINTER(check->clients[i].session));
        if (client && !client->is_gone && is_waiting(client->relay))
            answer_for(client, "a connection checker says so");
    }
    free_check(check);
}

/* --- life --- */

static void
on_due(MilterTimer *timer, gpointer data)
{
    MmPresence *presence = data;

    look_into_table(presence);
    if (presence->settings->checks_connections && !presence->is_checking)
        ask_checkers(presence);
    milter_timer_start(timer, presence->settings->connection_check_interval);
}

void
mm_presence_note(MmRelay *relay, const MilterFrame *frame)
{
    MmPresence *presence = relay->host->presence;
    gboolean is_macros = frame->command == SMFIC_MACRO;
    MilterConnect connect;
    Client *client;

    if (!presence || (is_macros && frame->payload[0] != SMFIC_CONNECT))
        return;
    client = g_hash_table_lookup(presence->clients, relay);
    if (!client || client->is_known) {
        client = g_new0(Client, 1);
        client->relay = relay;
        g_hash_table_replace(presence->clients, relay, client);
    }
    if (presence->settings->checks_connections && !client->facts)
        client->facts = g_byte_array_new();
    if (client->facts && client->facts->len + frame->size < FACTS_MAX)
        mm_condition_append(client->facts, frame->command, frame->payload, frame->size);
    if (is_macros)
        return;
    client->is_known = TRUE;
    client->has_end = milter_command_parse_connect(frame, &connect, NULL) && connect.address &&
                      milter_tcp_end_parse(&client->end, connect.address, connect.port);
}

void
mm_presence_forget(MmRelay *relay)
{
    if (relay->host->presence)
        g_hash_table_remove(relay->host->presence->clients, relay);
}

MmPresence *
mm_presence_new(const MmRules *rules, const MmSettings *settings)
{
    MmPresence *presence;

    if (settings->connection_check_interval == 0)
        return NULL;
    presence = g_new0(MmPresence, 1);
    presence->rules = rules;
    presence->settings = settings;
    presence->clients = g_hash_table_new_full(NULL, NULL, NULL, free_client);
    g_mutex_init(&presence->lock);
    rules->set_checked(on_checked, presence);
    return presence;
}

void
mm_presence_attach(MmPresence *presence, MilterLoop *loop)
{
    ev_async_init(&presence->arrived, on_arrived);
    presence->arrived.data = presence;
    ev_async_start(milter_loop_ev(loop), &presence->arrived);
    milter_timer_init(&presence->timer, loop, on_due, presence);
    milter_timer_start(&presence->timer, presence->settings->connection_check_interval);
    presence->loop = loop;
}

void
mm_presence_detach(MmPresence *presence)
{
    MilterLoop *loop = presence->loop;

    g_mutex_lock(&presence->lock);
    presence->loop = NULL;
    g_mutex_unlock(&presence->lock);
    g_hash_table_remove_all(presence->clients);
    milter_timer_clear(&presence->timer);
    ev_async_stop(milter_loop_ev(loop), &presence->arrived);
}

void
mm_presence_free(MmPresence **presence_p)
{
    MmPresence *presence = g_steal_pointer(presence_p);

    if (!presence)
        return;
    presence->rules->set_checked(NULL, NULL);
    free_check(presence->answer);
    g_hash_table_unref(presence->clients);
    g_mutex_clear(&presence->lock);
    g_free(presence);
}
