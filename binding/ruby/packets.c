/* packets.c - see packets.h */
#include "config.h"
#include "binding/ruby/packets.h"

#include <arpa/inet.h>
#include <ruby/encoding.h>
#include <string.h>

#define HEAD 5 /* bytes before a payload: length, command */

/* Whether the configuration has letters beyond ASCII, which go with UTF-8 only. */
static gboolean knows_utf8;

gboolean
mm_packets_next(MmView *packets, MmPacket *packet)
{
    guint32 length;

    if (packets->size < HEAD)
        return FALSE;
    memcpy(&length, packets->text, sizeof(length));
    length = GUINT32_FROM_BE(length);
    if (length < 1 || length > packets->size - sizeof(length))
        rb_raise(rb_eArgError, "a packet of %u bytes, %zu left", length, packets->size);
    packet->command = (guint8)packets->text[sizeof(length)];
    packet->payload = (MmView){ packets->text + HEAD, length - 1 };
    packets->text += sizeof(length) + length;
    packets->size -= sizeof(length) + length;
    return TRUE;
}

gboolean
mm_packets_next_string(MmView *strings, MmView *string)
{
    const char *end;

    if (strings->size == 0)
        return FALSE;
    end = memchr(strings->text, '\0', strings->size);
    *string = (MmView){ strings->text, end ? (gsize)(end - strings->text) : strings->size };
    strings->text += string->size + (end ? 1 : 0);
    strings->size -= string->size + (end ? 1 : 0);
    return TRUE;
}

/* "{x}" is "x". */
static MmView
bare(MmView name)
{
    if (name.size > 2 && name.text[0] == '{' && name.text[name.size - 1] == '}')
        return (MmView){ name.text + 1, name.size - 2 };
    return name;
}

MmView
mm_packets_macro(MmView payload, MmView name)
{
    MmView found = { NULL, 0 }, here, value;

    if (payload.size < 1)
        return found;
    payload.text++; /* the command it belongs to */
    payload.size--;
    name = bare(name);
    while (mm_packets_next_string(&payload, &here) && payload.size > 0) {
        (void)mm_packets_next_string(&payload, &value);
        here = bare(here);
        if (here.size == name.size && memcmp(here.text, name.text, name.size) == 0)
            found = value;
    }
    return found;
}

VALUE
mm_packets_string(MmView view)
{
    VALUE string;

    if (!knows_utf8)
        return rb_obj_freeze(rb_str_new(view.text, (long)view.size));
    string = rb_utf8_str_new(view.text, (long)view.size);
    if (rb_enc_str_coderange(string) != ENC_CODERANGE_VALID)
        rb_enc_associate_index(string, rb_ascii8bit_encindex());
    return rb_obj_freeze(string);
}

/* knows_utf8 = true: what is valid UTF-8 and not ASCII becomes that; else all is bytes */
static VALUE
native_set_knows_utf8(VALUE self, VALUE value)
{
    knows_utf8 = RTEST(value);
    return value;
}

/* ipv4(text) -> the address as a number, or nil */
static VALUE
native_ipv4(VALUE self, VALUE text)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;

    StringValue(text);
    if (RSTRING_LEN(text) >= (long)sizeof(copy) ||
        memchr(RSTRING_PTR(text), '\0', (gsize)RSTRING_LEN(text)))
        return Qnil;
    memcpy(copy, RSTRING_PTR(text), (gsize)RSTRING_LEN(text));
    copy[RSTRING_LEN(text)] = '\0';
    RB_GC_GUARD(text);
    return inet_pton(AF_INET, copy, &address) == 1 ? UINT2NUM(ntohl(address.s_addr)) : Qnil;
}

void
mm_packets_define(VALUE native)
{
    rb_define_singleton_method(native, "knows_utf8=", native_set_knows_utf8, 1);
    rb_define_singleton_method(native, "ipv4", native_ipv4, 1);
}
