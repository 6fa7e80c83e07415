/* session.c - see session.h
 *
 * Ruby may raise in any call: what is held belongs to the object. */
#include "config.h"
#include "binding/ruby/session.h"

#include <string.h>

#include "binding/ruby/gate.h"
#include "libmilter-core/protocol.h"
#include "src/rules.h"

/* Commands from the latest to the earliest: where a macro is looked for first. */
static const guint8 stages[] = { SMFIC_BODYEOB, SMFIC_EOH,  SMFIC_DATA,   SMFIC_RCPT,
                                 SMFIC_MAIL,    SMFIC_HELO, SMFIC_CONNECT };
#define N_STAGES G_N_ELEMENTS(stages)
#define N_OF_MESSAGE 5 /* of them */

/* A packet's payload, kept. */
typedef struct {
    char *data; /* Ruby counts it; NULL for none */
    gsize size;
} Payload;

struct _MmSession {
    guint64 id;
    Payload macros[N_STAGES], connection, mail;
    VALUE host, address, helo, recipient; /* nil, as all these, until there is something */
    VALUE sender, sender_parameters;
    VALUE recipients, rejected_recipients, recipient_parameters;
    VALUE shelf, contexts;
    guint transaction;
    MmSessionNews news;
};

static VALUE session_class, address_maker; /* Milter::SocketAddress */
static ID id_make;

static void
mark(void *data)
{
    const MmSession *session = data;

    rb_gc_mark(session->host);
    rb_gc_mark(session->address);
    rb_gc_mark(session->helo);
    rb_gc_mark(session->recipient);
    rb_gc_mark(session->sender);
    rb_gc_mark(session->sender_parameters);
    rb_gc_mark(session->recipients);
    rb_gc_mark(session->rejected_recipients);
    rb_gc_mark(session->recipient_parameters);
    rb_gc_mark(session->shelf);
    rb_gc_mark(session->contexts);
}

static void
clear(Payload *payload)
{
    xfree(payload->data);
    *payload = (Payload){ NULL, 0 };
}

static void
free_session(void *data)
{
    MmSession *session = data;

    for (guint i = 0; i < N_STAGES; i++)
        clear(&session->macros[i]);
    clear(&session->connection);
    clear(&session->mail);
    g_clear_pointer(&session->news.statuses, g_bytes_unref);
    xfree(session);
}

static size_t
size_of(const void *data)
{
    const MmSession *session = data;
    size_t size = sizeof(*session) + session->connection.size + session->mail.size;

    for (guint i = 0; i < N_STAGES; i++)
        size += session->macros[i].size;
    return size;
}

static const rb_data_type_t type = {
    .wrap_struct_name = "Milter::Manager::Session",
    .function = { .dmark = mark, .dfree = free_session, .dsize = size_of },
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

MmSession *
mm_session_of(VALUE session)
{
    return rb_check_typeddata(session, &type);
}

static void
keep(Payload *payload, MmView view)
{
    char *data = ALLOC_N(char, view.size + 1); /* so that it is something */

    clear(payload);
    if (view.size > 0)
        memcpy(data, view.text, view.size);
    *payload = (Payload){ data, view.size };
}

static MmView
view_of(const Payload *payload)
{
    return (MmView){ payload->data, payload->size };
}

/* The first of several strings. */
static VALUE
first(MmView strings)
{
    MmView string = { "", 0 };

    (void)mm_packets_next_string(&strings, &string);
    return mm_packets_string(string);
}

/* The others, as an Array. */
static VALUE
rest(MmView strings)
{
    VALUE all = rb_ary_new();
    MmView string;

    (void)mm_packets_next_string(&strings, &string);
    while (mm_packets_next_string(&strings, &string))
        rb_ary_push(all, mm_packets_string(string));
    return all;
}

/* --- learning --- */

static void
forget_message(MmSession *session)
{
    session->transaction++;
    clear(&session->mail);
    session->sender = session->sender_parameters = Qnil;
    session->recipient = session->recipients = Qnil;
    session->rejected_recipients = session->recipient_parameters = Qnil;
    session->shelf = Qnil;
}

static void
end_message(MmSession *session)
{
    for (guint i = 0; i < N_OF_MESSAGE; i++)
        clear(&session->macros[i]);
    forget_message(session);
}

static void
take_macros(MmSession *session, MmView payload)
{
    const guint8 *stage = payload.size ? memchr(stages, payload.text[0], N_STAGES) : NULL;

    if (stage)
        keep(&session->macros[stage - stages], payload);
}

static void
take_recipient(MmSession *session, MmView payload)
{
    session->recipient = first(payload);
    if (NIL_P(session->recipients)) {
        session->recipients = rb_ary_new();
        session->recipient_parameters = rb_hash_new();
    }
    rb_ary_push(session->recipients, session->recipient);
    rb_hash_aset(session->recipient_parameters, session->recipient, rest(payload));
}

static void
refuse_recipient(MmSession *session)
{
    if (NIL_P(session->recipients) || RARRAY_LEN(session->recipients) == 0)
        return;
    if (NIL_P(session->rejected_recipients))
        session->rejected_recipients = rb_ary_new();
    rb_ary_push(session->rejected_recipients, rb_ary_pop(session->recipients));
}

static void
learn(MmSession *session, const MmPacket *packet)
{
    switch (packet->command) {
    case SMFIC_MACRO:
        take_macros(session, packet->payload);
        break;
    case SMFIC_CONNECT: /* HOST NUL FAMILY PORT ADDRESS NUL */
        keep(&session->connection, packet->payload);
        session->host = first(packet->payload);
        session->address = Qnil;
        break;
    case SMFIC_HELO:
        end_message(session);
        session->helo = first(packet->payload);
        break;
    case SMFIC_MAIL:
        if (session->mail.data)
            forget_message(session);
        keep(&session->mail, packet->payload);
        break;
    case SMFIC_RCPT:
        take_recipient(session, packet->payload);
        break;
    case MM_FACT_RECIPIENT_REFUSED:
        refuse_recipient(session);
        break;
    case MM_FACT_RECIPIENT_DEFERRED:
        if (!NIL_P(session->recipients))
            (void)rb_ary_pop(session->recipients);
        break;
    case SMFIC_ABORT:
        end_message(session);
        break;
    default:
        break;
    }
}

static void
take(MmSession *session, MmView packets)
{
    MmPacket packet;

    while (mm_packets_next(&packets, &packet))
        learn(session, &packet);
}

void
mm_session_take(MmSession *session, const GByteArray *packets)
{
    if (packets)
        take(session, (MmView){ (const char *)packets->data, packets->len });
}

void
mm_session_set_news(MmSession *session, const MmSessionNews *news)
{
    GBytes *before = session->news.statuses;

    session->news = *news;
    g_bytes_ref(news->statuses);
    g_clear_pointer(&before, g_bytes_unref);
}

/* --- telling --- */

guint64
mm_session_id(const MmSession *session)
{
    return session->id;
}

guint
mm_session_transaction(const MmSession *session)
{
    return session->transaction;
}

guint
mm_session_n_sessions(const MmSession *session)
{
    return session->news.n_sessions;
}

guint64
mm_session_seen(const MmSession *session)
{
    return session->news.seen;
}

guint8
mm_session_status(const MmSession *session, guint child)
{
    gsize size = 0;
    const guint8 *statuses =
        session->news.statuses ? g_bytes_get_data(session->news.statuses, &size) : NULL;

    return child < size ? statuses[child] : 0;
}

VALUE
mm_session_macro(const MmSession *session, MmView name)
{
    for (guint i = 0; i < N_STAGES; i++) {
        MmView value = mm_packets_macro(view_of(&session->macros[i]), name);

        if (value.text)
            return mm_packets_string(value);
    }
    return Qnil;
}

VALUE
mm_session_host(MmSession *session)
{
    return session->host;
}

VALUE
mm_session_helo(MmSession *session)
{
    return session->helo;
}

VALUE
mm_session_recipient(MmSession *session)
{
    return session->recipient;
}

VALUE
mm_session_sender(MmSession *session)
{
    if (NIL_P(session->sender) && session->mail.data)
        session->sender = first(view_of(&session->mail));
    return session->sender;
}

VALUE
mm_session_sender_parameters(MmSession *session)
{
    if (!session->mail.data)
        return rb_obj_freeze(rb_ary_new());
    if (NIL_P(session->sender_parameters))
        session->sender_parameters = rb_obj_freeze(rest(view_of(&session->mail)));
    return session->sender_parameters;
}

/* The text of an address: up to its NUL, without what marks one of IPv6. */
static VALUE
address_text(MmView text)
{
    static const char mark_of_ipv6[] = "IPv6:";
    gsize length = strlen(mark_of_ipv6);

    if (text.size && text.text[text.size - 1] == '\0')
        text.size--;
    if (text.size >= length && memcmp(text.text, mark_of_ipv6, length) == 0)
        text = (MmView){ text.text + length, text.size - length };
    return mm_packets_string(text);
}

VALUE
mm_session_address(MmSession *session)
{
    MmView at = view_of(&session->connection), host;
    char family = SMFIA_UNKNOWN;
    guint port = 0;
    VALUE text = Qnil;

    if (!NIL_P(session->address) || !session->connection.data)
        return session->address;
    (void)mm_packets_next_string(&at, &host);
    if (at.size >= 3 && at.text[0] != SMFIA_UNKNOWN) {
        family = at.text[0];
        port = (guint)(guint8)at.text[1] << 8 | (guint8)at.text[2];
        text = address_text((MmView){ at.text + 3, at.size - 3 });
    }
    if (!address_maker) {
        address_maker = rb_path2class("Milter::SocketAddress");
        rb_gc_register_address(&address_maker);
    }
    session->address =
        mm_gate_send(address_maker, id_make, 3, rb_str_new(&family, 1), text, UINT2NUM(port));
    return session->address;
}

VALUE
mm_session_recipients(MmSession *session)
{
    return NIL_P(session->recipients) ? rb_ary_new() : session->recipients;
}

VALUE
mm_session_rejected_recipients(MmSession *session)
{
    return NIL_P(session->rejected_recipients) ? rb_ary_new() : session->rejected_recipients;
}

VALUE
mm_session_recipient_parameters(MmSession *session)
{
    return NIL_P(session->recipient_parameters) ? rb_hash_new() : session->recipient_parameters;
}

VALUE
mm_session_shelf(MmSession *session)
{
    if (NIL_P(session->shelf))
        session->shelf = rb_hash_new();
    return session->shelf;
}

VALUE
mm_session_contexts(MmSession *session)
{
    if (NIL_P(session->contexts))
        session->contexts = rb_ary_new();
    return session->contexts;
}

/* --- for Ruby --- */

static VALUE
allocate(VALUE class)
{
    MmSession *session;
    VALUE object = TypedData_Make_Struct(class, MmSession, &type, session);

    session->host = session->address = session->helo = Qnil;
    session->contexts = Qnil;
    forget_message(session);
    return object;
}

VALUE
mm_session_new(guint64 id)
{
    VALUE object = allocate(session_class);

    mm_session_of(object)->id = id;
    return object;
}

/* take(packets): learn from them */
static VALUE
session_take(VALUE self, VALUE packets)
{
    StringValue(packets);
    take(mm_session_of(self), (MmView){ RSTRING_PTR(packets), (gsize)RSTRING_LEN(packets) });
    RB_GC_GUARD(packets);
    return Qnil;
}

static VALUE
session_address(VALUE self)
{
    return mm_session_address(mm_session_of(self));
}

/* macro(name) -> String or nil; braces are optional */
static VALUE
session_macro(VALUE self, VALUE name)
{
    VALUE text = rb_obj_as_string(name), value;

    value = mm_session_macro(mm_session_of(self),
                             (MmView){ RSTRING_PTR(text), (gsize)RSTRING_LEN(text) });
    RB_GC_GUARD(text);
    return value;
}

static VALUE
session_id(VALUE self)
{
    return ULL2NUM(mm_session_of(self)->id);
}

void
mm_session_define(VALUE manager)
{
    session_class = rb_define_class_under(manager, "Session", rb_cObject);
    id_make = rb_intern("make");
    rb_define_alloc_func(session_class, allocate);
    rb_define_method(session_class, "id", session_id, 0);
    rb_define_method(session_class, "take", session_take, 1);
    rb_define_method(session_class, "address", session_address, 0);
    rb_define_method(session_class, "macro", session_macro, 1);
}
