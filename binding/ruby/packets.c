/* packets.c - see packets.h
 *
 * These functions are called by Ruby and may raise: nothing is held over a call that may. */
#include "config.h"
#include "binding/ruby/packets.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#define HEAD 5 /* bytes before a payload: length, command */

/* packets(text) -> [command, payload, command, payload, …]; payloads are frozen */
static VALUE
native_packets(VALUE self, VALUE text)
{
    VALUE result = rb_ary_new();
    long at = 0, end;

    StringValue(text);
    end = RSTRING_LEN(text);
    while (end - at >= HEAD) {
        const char *packet = RSTRING_PTR(text) + at;
        guint32 length;

        memcpy(&length, packet, sizeof(length));
        length = GUINT32_FROM_BE(length);
        if (length < 1 || length > (guint64)(end - at - 4))
            rb_raise(rb_eArgError, "a packet of %u bytes, %ld left", length, end - at);
        rb_ary_push(result, INT2FIX((guint8)packet[4]));
        rb_ary_push(result, rb_obj_freeze(rb_str_new(packet + HEAD, (long)length - 1)));
        at += 4 + (long)length;
    }
    RB_GC_GUARD(text);
    return result;
}

typedef struct {
    const char *text;
    gsize size;
} Span;

/* "{x}" is "x". */
static Span
bare(const char *text, gsize size)
{
    if (size > 2 && text[0] == '{' && text[size - 1] == '}')
        return (Span){ text + 1, size - 2 };
    return (Span){ text, size };
}

/* The last value of NAME in the names and values from AT to END, each with its NUL. */
static Span
find(const char *at, const char *end, Span name)
{
    Span found = { NULL, 0 };

    while (at < end) {
        const char *name_end = memchr(at, '\0', (gsize)(end - at));
        const char *value, *value_end;
        Span here;

        if (!name_end || name_end + 1 >= end)
            break;
        value = name_end + 1;
        value_end = memchr(value, '\0', (gsize)(end - value));
        if (!value_end)
            value_end = end;
        here = bare(at, (gsize)(name_end - at));
        if (here.size == name.size && memcmp(here.text, name.text, name.size) == 0)
            found = (Span){ value, (gsize)(value_end - value) };
        at = value_end + 1;
    }
    return found;
}

/* macro(lists, name) -> value, or nil; the first of LISTS that has it counts.  LISTS are
 * payloads of macro packets, which begin with the command, or nil. */
static VALUE
native_macro(VALUE self, VALUE lists, VALUE name)
{
    Span wanted;

    Check_Type(lists, T_ARRAY);
    StringValue(name);
    wanted = bare(RSTRING_PTR(name), (gsize)RSTRING_LEN(name));
    for (long i = 0; i < RARRAY_LEN(lists); i++) {
        VALUE list = rb_ary_entry(lists, i);
        Span found;

        if (NIL_P(list))
            continue;
        Check_Type(list, T_STRING);
        if (RSTRING_LEN(list) < 1)
            continue;
        found = find(RSTRING_PTR(list) + 1, RSTRING_END(list), wanted);
        if (found.text)
            return rb_obj_freeze(rb_str_new(found.text, (long)found.size));
    }
    RB_GC_GUARD(name);
    return Qnil;
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
    rb_define_singleton_method(native, "packets", native_packets, 1);
    rb_define_singleton_method(native, "macro", native_macro, 2);
    rb_define_singleton_method(native, "ipv4", native_ipv4, 1);
}
