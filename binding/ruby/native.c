/* native.c - see native.h
 *
 * These functions are called by Ruby and may raise: nothing is held over a call that
 * may. */
#include "config.h"
#include "binding/ruby/native.h"

#include <netinet/in.h>
#include <ruby.h>
#include <string.h>

#include "binding/ruby/context.h"
#include "binding/ruby/convert.h"
#include "binding/ruby/decide.h"
#include "binding/ruby/decision.h"
#include "binding/ruby/explain.h"
#include "binding/ruby/fibers.h"
#include "binding/ruby/packets.h"
#include "binding/ruby/session.h"
#include "libmilter-core/log.h"
#include "libmilter-core/tcp-table.h"
#include "src/settings-table.h"

static MmSettings *target; /* see mm_native_set_target() */

void
mm_native_set_target(MmSettings *settings)
{
    target = settings;
}

/* Raise Milter::Manager::ConfigurationError with the message of ERROR, which is freed. */
static void G_GNUC_NORETURN
raise_error(GError *error)
{
    VALUE text = mm_convert_text(error->message);

    g_error_free(error);
    rb_exc_raise(rb_exc_new_str(rb_path2class("Milter::Manager::ConfigurationError"), text));
}

static MmSettings *
require_target(void)
{
    if (!target)
        rb_raise(rb_eRuntimeError, "settings can be used only while the configuration loads");
    return target;
}

static MmScope
scope_of(VALUE name)
{
    const char *text = StringValueCStr(name);

    for (MmScope scope = 0; scope < MM_N_SCOPES; scope++) {
        if (strcmp(text, mm_scope_name(scope)) == 0)
            return scope;
    }
    rb_raise(rb_eArgError, "no scope %s", text);
}

static const MmItem *
item_of(VALUE scope, VALUE name)
{
    const MmItem *item = mm_item_find(scope_of(scope), StringValueCStr(name));

    if (!item)
        rb_raise(rb_eArgError, "no item %s", StringValueCStr(name));
    return item;
}

/* What an item's value is stored in: the child of that name, or the settings. */
static gpointer
object_of(VALUE child)
{
    MmSettings *settings = require_target();
    MmChild *found;

    if (NIL_P(child))
        return settings;
    found = mm_settings_child(settings, StringValueCStr(child));
    if (!found)
        rb_raise(rb_eArgError, "milter \"%s\" was removed", StringValueCStr(child));
    return found;
}

/* items(scope) -> names */
static VALUE
native_items(VALUE self, VALUE scope_name)
{
    MmScope scope = scope_of(scope_name);
    VALUE names = rb_ary_new();

    for (guint i = 0; i < mm_n_items; i++) {
        if (mm_items[i].scope == scope)
            rb_ary_push(names, mm_convert_text(mm_items[i].name));
    }
    return names;
}

/* nearest(scope, name) -> name */
static VALUE
native_nearest(VALUE self, VALUE scope, VALUE name)
{
    const char *nearest = mm_item_nearest(scope_of(scope), StringValueCStr(name));

    return nearest ? mm_convert_text(nearest) : Qnil;
}

/* get(scope, child, name) -> value */
static VALUE
native_get(VALUE self, VALUE scope, VALUE child, VALUE name)
{
    const MmItem *item = item_of(scope, name);
    gpointer object = object_of(child);
    GVariant *value = mm_item_get(item, object);
    VALUE result = mm_convert_to_ruby(value);

    g_variant_unref(value);
    return result;
}

/* set(scope, child, name, value, origin) */
static VALUE
native_set(VALUE self, VALUE scope, VALUE child, VALUE name, VALUE value, VALUE origin)
{
    const MmItem *item = item_of(scope, name);
    gpointer object = object_of(child);
    const char *where = StringValueCStr(origin);
    GError *error = NULL;
    GVariant *variant = mm_convert_from_ruby(value, &error);

    if (!variant)
        g_prefix_error(&error, "%s.%s: ", mm_scope_name(item->scope), item->name);
    else
        mm_item_set(item, object, variant, where, &error);
    if (variant)
        g_variant_unref(variant);
    if (error)
        raise_error(error);
    return Qnil;
}

/* origin(scope, child, name) -> "FILE:LINE" or nil; without NAME that of the child */
static VALUE
native_origin(VALUE self, VALUE scope, VALUE child, VALUE name)
{
    gpointer object = object_of(child);
    const char *origin = NIL_P(name) ? ((MmChild *)object)->origin
                                     : mm_item_origin(item_of(scope, name), object);

    return origin ? mm_convert_text(origin) : Qnil;
}

/* item_text(scope, name, with_secrets) -> "scope.name = value # FILE:LINE" */
static VALUE
native_item_text(VALUE self, VALUE scope, VALUE name, VALUE with_secrets)
{
    const MmItem *item = item_of(scope, name);
    char *line = mm_item_text(item, require_target(), RTEST(with_secrets));
    VALUE text = mm_convert_text(line);

    g_free(line);
    return text;
}

static VALUE
native_define_child(VALUE self, VALUE name, VALUE origin)
{
    MmSettings *settings = require_target();
    const char *text = StringValueCStr(name), *where = StringValueCStr(origin);

    mm_settings_define_child(settings, text, where);
    return Qnil;
}

static VALUE
native_remove_child(VALUE self, VALUE name)
{
    return mm_settings_remove_child(require_target(), StringValueCStr(name)) ? Qtrue : Qfalse;
}

static VALUE
native_child_names(VALUE self)
{
    MmSettings *settings = require_target();
    VALUE names = rb_ary_new();

    for (guint i = 0; i < settings->children->len; i++) {
        MmChild *child = g_ptr_array_index(settings->children, i);

        rb_ary_push(names, mm_convert_text(child->name));
    }
    return names;
}

/* note(text): tell the operator once the configuration is used */
static VALUE
native_note(VALUE self, VALUE text)
{
    mm_settings_note(require_target(), "%s", StringValueCStr(text));
    return Qnil;
}

/* notes() -> texts */
static VALUE
native_notes(VALUE self)
{
    MmSettings *settings = require_target();
    VALUE notes = rb_ary_new();

    for (guint i = 0; i < settings->notes->len; i++)
        rb_ary_push(notes, mm_convert_text(g_ptr_array_index(settings->notes, i)));
    return notes;
}

/* watch(path): the configuration depends on what is there */
static VALUE
native_watch(VALUE self, VALUE path)
{
    mm_settings_watch(require_target(), StringValueCStr(path));
    return Qnil;
}

/* announce(text): the same, where nothing is wrong */
static VALUE
native_announce(VALUE self, VALUE text)
{
    mm_settings_announce(require_target(), StringValueCStr(text));
    return Qnil;
}

/* order_children(names): put them into that order, in the places that they have */
static VALUE
native_order_children(VALUE self, VALUE names)
{
    MmSettings *settings = require_target();
    long n = RARRAY_LEN(names);
    VALUE holder;
    const char **wanted = rb_alloc_tmp_buffer(&holder, (n + 1) * (long)sizeof(*wanted));

    for (long i = 0; i < n; i++) {
        VALUE name = rb_ary_entry(names, i);

        wanted[i] = StringValueCStr(name);
    }
    wanted[n] = NULL;
    mm_settings_order_children(settings, wanted);
    rb_free_tmp_buffer(&holder);
    return Qnil;
}

/* checks_connections = true */
static VALUE
native_set_checks_connections(VALUE self, VALUE checks)
{
    require_target()->checks_connections = RTEST(checks);
    return checks;
}

/* log?(level) */
static VALUE
native_logs(VALUE self, VALUE level)
{
    return (milter_log_levels & NUM2UINT(level)) != 0 ? Qtrue : Qfalse;
}

/* log(level, text): one line; what is not printable is escaped */
static VALUE
native_log(VALUE self, VALUE level, VALUE text)
{
    MilterLogLevel bit = (MilterLogLevel)NUM2UINT(level);
    VALUE string = rb_obj_as_string(text);
    const char *bytes = RSTRING_PTR(string);
    GString *line;

    if ((milter_log_levels & bit) == 0)
        return Qnil;
    line = g_string_new(NULL);
    for (long i = 0; i < RSTRING_LEN(string); i++) {
        guchar c = (guchar)bytes[i];

        if (c < 0x20 || c == 0x7f)
            g_string_append_printf(line, "\\x%02X", c);
        else
            g_string_append_c(line, (char)c);
    }
    milter_log_write(bit, "%s", line->str);
    g_string_free(line, TRUE);
    RB_GC_GUARD(string);
    return Qnil;
}

/* local_end(address, port) -> [address, port] where that is connected to on this machine, or nil */
static VALUE
native_local_end(VALUE self, VALUE address, VALUE port)
{
    static MilterTcpRecent recent; /* Ruby's lock is held */
    char text[INET6_ADDRSTRLEN];
    MilterTcpEnd remote, local;

    if (!milter_tcp_end_parse(&remote, StringValueCStr(address), (guint16)NUM2UINT(port)) ||
        !milter_tcp_table_find(&remote, &recent, &local))
        return Qnil;
    return rb_ary_new_from_args(2, mm_convert_text(milter_tcp_end_address(&local, text)),
                                UINT2NUM(local.port));
}

/* set_stoppers(child, steps, fallbacks): bits by step; a decision by step */
static VALUE
native_set_stoppers(VALUE self, VALUE name, VALUE steps, VALUE fallbacks)
{
    MmChild *child = object_of(name);

    child->stopper_steps = NUM2UINT(steps);
    for (guint step = 0; step < MILTER_N_STEPS; step++)
        child->stopper_fallbacks[step] = (guint8)NUM2UINT(rb_ary_entry(fallbacks, step));
    return Qnil;
}

static void
define_levels(VALUE native)
{
    VALUE levels = rb_hash_new();

    for (guint bit = MILTER_LOG_ERROR; bit <= MILTER_LOG_TRACE; bit <<= 1) {
        const char *name = milter_log_level_name((MilterLogLevel)bit);

        rb_hash_aset(levels, ID2SYM(rb_intern(name)), UINT2NUM(bit));
    }
    rb_define_const(native, "LOG_LEVELS", rb_obj_freeze(levels));
}

void
mm_native_define(void)
{
    VALUE milter = rb_define_module("Milter");
    VALUE manager = rb_define_module_under(milter, "Manager");
    VALUE native = rb_define_module_under(manager, "Native");

    define_levels(native);
    rb_define_singleton_method(native, "items", native_items, 1);
    rb_define_singleton_method(native, "nearest", native_nearest, 2);
    rb_define_singleton_method(native, "get", native_get, 3);
    rb_define_singleton_method(native, "set", native_set, 5);
    rb_define_singleton_method(native, "origin", native_origin, 3);
    rb_define_singleton_method(native, "item_text", native_item_text, 3);
    rb_define_singleton_method(native, "define_child", native_define_child, 2);
    rb_define_singleton_method(native, "remove_child", native_remove_child, 1);
    rb_define_singleton_method(native, "child_names", native_child_names, 0);
    rb_define_singleton_method(native, "local_end", native_local_end, 2);
    rb_define_singleton_method(native, "set_stoppers", native_set_stoppers, 3);
    rb_define_singleton_method(native, "checks_connections=", native_set_checks_connections, 1);
    rb_define_singleton_method(native, "note", native_note, 1);
    rb_define_singleton_method(native, "notes", native_notes, 0);
    rb_define_singleton_method(native, "watch", native_watch, 1);
    rb_define_singleton_method(native, "announce", native_announce, 1);
    rb_define_singleton_method(native, "order_children", native_order_children, 1);
    rb_define_singleton_method(native, "log?", native_logs, 1);
    rb_define_singleton_method(native, "log", native_log, 2);
    mm_fibers_define(native);
    mm_session_define(manager);
    mm_context_define(manager);
    mm_decision_define(manager, native);
    mm_decide_define(native);
    mm_packets_define(native);
    mm_explain_define(native);
}
