/* plan.c - what the load generator says in a session; see plan.h */

#include "config.h"

#include <string.h>

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "endpoint.h"
#include "plan.h"

/* What Postfix 3.7.11 offers (milter8_connect with the default protocol). */
#define OFFERED_ACTIONS 0x1FFu
#define OFFERED_STEPS 0x1FFFFFu
#define OFFERED_VERSION 6

#define QUEUE_ID "i", "4fQ2kW1Xz9z3kXg"

/* Names and values by turns, as Postfix sends them by default for a plain-text
 * client; names without a value are not sent. */
static const char *const connect_macros[] = { "j", "mx.example.com", "{daemon_name}",
                                              "mx.example.com", "{daemon_addr}", "192.0.2.25",
                                              "v", "Postfix 3.7.11", "_",
                                              "client.example.org [192.0.2.77]", NULL };
static const char *const helo_macros[] = { NULL };
static const char *const mail_macros[] = { QUEUE_ID, "{mail_addr}", "sender@example.org",
                                           "{mail_host}", "example.org",
                                           "{mail_mailer}", "smtp", NULL };
static const char *const rcpt_macros[] = { QUEUE_ID, "{rcpt_addr}", "user@example.com",
                                           "{rcpt_host}", "example.com",
                                           "{rcpt_mailer}", "local", NULL };
static const char *const message_macros[] = { QUEUE_ID, NULL };

typedef struct {
    guint8 step;
    guint8 stage;               /* of the macro list: SMFIM_* */
    guint32 declined;           /* SMFIP_NO* */
    guint32 unanswered;         /* SMFIP_NR_* */
    const char *const *macros;
} Step;

static const Step steps[] = {
    { SMFIC_CONNECT, SMFIM_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN, connect_macros },
    { SMFIC_HELO, SMFIM_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, helo_macros },
    { SMFIC_MAIL, SMFIM_ENVFROM, SMFIP_NOMAIL, SMFIP_NR_MAIL, mail_macros },
    { SMFIC_RCPT, SMFIM_ENVRCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, rcpt_macros },
    { SMFIC_DATA, SMFIM_DATA, SMFIP_NODATA, SMFIP_NR_DATA, message_macros },
    { SMFIC_HEADER, SMFIM_EOH, SMFIP_NOHDRS, SMFIP_NR_HDR, message_macros },
    { SMFIC_EOH, SMFIM_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, message_macros },
    { SMFIC_BODY, SMFIM_EOM, SMFIP_NOBODY, SMFIP_NR_BODY, message_macros },
    { SMFIC_BODYEOB, SMFIM_EOM, 0, 0, message_macros },
};

typedef struct {
    guint32 version;
    guint32 steps;
    char **lists[SMFIM_LAST + 1];       /* NULL: the MTA's own choice */
    GArray *bursts;
    GByteArray *unsent;
} Builder;

static void
add_packet(GByteArray *out, guint8 command, const void *data, gsize size)
{
    guint32 length = g_htonl((guint32)size + 1);

    g_byte_array_append(out, (const guint8 *)&length, sizeof(length));
    g_byte_array_append(out, &command, 1);
    if (size > 0)
        g_byte_array_append(out, data, (guint)size);
}

GByteArray *
plan_offer(void)
{
    const guint32 offer[3] = { g_htonl(OFFERED_VERSION), g_htonl(OFFERED_ACTIONS),
                               g_htonl(OFFERED_STEPS) };
    GByteArray *out = g_byte_array_new();

    add_packet(out, SMFIC_OPTNEG, offer, sizeof(offer));
    return out;
}

static guint32
read_u32(const guint8 *data)
{
    guint32 value;

    memcpy(&value, data, sizeof(value));
    return g_ntohl(value);
}

static void
read_answer(Builder *builder, const guint8 *answer, gsize size)
{
    gsize at = 12;

    if (size < 12)
        bench_die("the filter's answer to the negotiation has %zu bytes, want at least 12", size);
    builder->version = read_u32(answer);
    builder->steps = read_u32(answer + 8);
    if (builder->version < 2 || builder->version > OFFERED_VERSION)
        bench_die("the filter answered with version %u", builder->version);
    if (read_u32(answer + 4) & ~OFFERED_ACTIONS)
        bench_die("the filter asks for actions 0x%x that were not offered", read_u32(answer + 4));
    if (builder->steps & ~OFFERED_STEPS)
        bench_die("the filter asks for steps 0x%x that were not offered", builder->steps);

    while (at < size) {
        const guint8 *end = size - at > 4 ? memchr(answer + at + 4, 0, size - at - 4) : NULL;
        guint32 stage = size - at > 4 ? read_u32(answer + at) : G_MAXUINT32;

        if (end == NULL || stage > SMFIM_LAST)
            bench_die("the filter's answer has a malformed macro list");
        if (answer[at + 4] != 0)
            builder->lists[stage] = g_strsplit_set((const char *)answer + at + 4, " ,", -1);
        at = (gsize)(end - answer) + 1;
    }
}

static gboolean
is_wanted(char *const *list, const char *name)
{
    return list == NULL || g_strv_contains((const char *const *)list, name);
}

static void
add_macros(Builder *builder, const Step *step)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    g_byte_array_append(data, &step->step, 1);
    for (const char *const *at = step->macros; *at; at += 2) {
        if (!is_wanted(builder->lists[step->stage], at[0]))
            continue;
        g_byte_array_append(data, (const guint8 *)at[0], (guint)strlen(at[0]) + 1);
        g_byte_array_append(data, (const guint8 *)at[1], (guint)strlen(at[1]) + 1);
    }
    add_packet(builder->unsent, SMFIC_MACRO, data->data, data->len);
}

static const Step *
find_step(guint8 command)
{
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
        if (steps[i].step == command)
            return &steps[i];
    g_assert_not_reached();
}

static void
add_step(Builder *builder, guint8 command, const void *data, gsize size)
{
    const Step *step = find_step(command);

    if (command == SMFIC_DATA && builder->version < 4)
        return;
    add_macros(builder, step);
    if (builder->steps & step->declined)
        return;
    add_packet(builder->unsent, command, data, size);
    if (builder->steps & step->unanswered)
        return;

    Burst burst = { .size = builder->unsent->len, .step = command };

    burst.data = g_byte_array_free(builder->unsent, FALSE);
    g_array_append_val(builder->bursts, burst);
    builder->unsent = g_byte_array_new();
}

static void
add_strings(Builder *builder, guint8 command, const char *one, const char *two)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    g_byte_array_append(data, (const guint8 *)one, (guint)strlen(one) + 1);
    if (two)
        g_byte_array_append(data, (const guint8 *)two, (guint)strlen(two) + 1);
    add_step(builder, command, data->data, data->len);
}

static void
add_header(Builder *builder, guint n, guint size)
{
    g_autofree char *name = g_strdup_printf("X-Bench-%u", n);
    g_autofree char *value = g_strnfill(size + 1, 'v');

    /* With SMFIP_HDR_LEADSPC the blank after the colon is part of the value. */
    value[0] = ' ';
    add_strings(builder, SMFIC_HEADER, name,
                builder->steps & SMFIP_HDR_LEADSPC ? value : value + 1);
}

static void
add_body(Builder *builder, gsize size)
{
    g_autofree char *body = g_malloc(size + 1);

    for (gsize i = 0; i < size; i++)
        body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'b';
    for (gsize at = 0; at < size; at += MILTER_CHUNK_SIZE)
        add_step(builder, SMFIC_BODY, body + at, MIN(size - at, MILTER_CHUNK_SIZE));
}

static void
add_connection(Builder *builder, const char *host)
{
    static const char address[] = "4\243\120192.0.2.77";
    g_autoptr(GByteArray) data = g_byte_array_new();

    g_byte_array_append(data, (const guint8 *)host, (guint)strlen(host) + 1);
    g_byte_array_append(data, (const guint8 *)address, sizeof(address));
    add_step(builder, SMFIC_CONNECT, data->data, data->len);
    add_strings(builder, SMFIC_HELO, "client.example.org", NULL);
}

static void
add_message(Builder *builder, const MailShape *shape)
{
    add_strings(builder, SMFIC_MAIL, "<sender@example.org>", "SIZE=4096");
    add_strings(builder, SMFIC_RCPT, "<user@example.com>", "ORCPT=rfc822;user@example.com");
    add_step(builder, SMFIC_DATA, NULL, 0);
    for (guint i = 0; i < shape->n_headers; i++)
        add_header(builder, i, shape->header_size);
    add_step(builder, SMFIC_EOH, NULL, 0);
    add_body(builder, shape->body_size);
    add_step(builder, SMFIC_BODYEOB, NULL, 0);
}

static void
clear_burst(gpointer data)
{
    g_free(((Burst *)data)->data);
}

static GArray *
bursts_new(void)
{
    GArray *bursts = g_array_new(FALSE, FALSE, sizeof(Burst));

    g_array_set_clear_func(bursts, clear_burst);
    return bursts;
}

Plan *
plan_new(const guint8 *answer, gsize size, const MailShape *shape)
{
    Plan *plan = g_new0(Plan, 1);
    Builder builder = { .unsent = g_byte_array_new() };

    read_answer(&builder, answer, size);
    builder.bursts = plan->open = bursts_new();
    add_connection(&builder, shape->host);
    plan->open_rest = g_byte_array_new();
    g_byte_array_append(plan->open_rest, builder.unsent->data, builder.unsent->len);

    builder.bursts = plan->first = bursts_new();
    add_message(&builder, shape);

    /* Postfix resets its filters after each message, also a finished one. */
    builder.bursts = plan->again = bursts_new();
    add_packet(builder.unsent, SMFIC_ABORT, NULL, 0);
    add_message(&builder, shape);

    g_byte_array_free(builder.unsent, TRUE);
    for (guint i = 0; i <= SMFIM_LAST; i++)
        g_strfreev(builder.lists[i]);
    return plan;
}

void
plan_free(Plan **plan_p)
{
    Plan *plan = g_steal_pointer(plan_p);

    if (plan == NULL)
        return;
    g_array_free(plan->open, TRUE);
    g_array_free(plan->first, TRUE);
    g_array_free(plan->again, TRUE);
    g_byte_array_free(plan->open_rest, TRUE);
    g_free(plan);
}
