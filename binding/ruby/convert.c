/* convert.c - see convert.h */
#include "config.h"
#include "binding/ruby/convert.h"

#include <math.h>
#include <ruby/encoding.h>
#include <string.h>

#include "src/settings-table.h"

#define DEPTH_MAX 8 /* arrays in hashes in arrays … */

static GVariant *from_ruby(VALUE value, guint depth, GError **error);

static GVariant *
refuse(GError **error, const char *what)
{
    g_set_error_literal(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE, what);
    return NULL;
}

static GVariant *
from_string(VALUE string, GError **error)
{
    VALUE utf8 = rb_str_conv_enc(string, rb_enc_get(string), rb_utf8_encoding());
    const char *bytes = RSTRING_PTR(utf8);
    gsize size = (gsize)RSTRING_LEN(utf8);
    g_autofree char *text = NULL;

    if (memchr(bytes, '\0', size))
        return refuse(error, "a string with a NUL byte cannot be used");
    if (!g_utf8_validate(bytes, (gssize)size, NULL))
        return refuse(error, "a string that is not valid UTF-8 cannot be used");
    text = g_strndup(bytes, size);
    RB_GC_GUARD(utf8);
    return g_variant_new_string(text);
}

static GVariant *
from_integer(VALUE integer, GError **error)
{
    /* Beyond 64 bits the order of size is all that messages need. */
    if (RB_TYPE_P(integer, T_BIGNUM)) {
        double number = rb_big2dbl(integer);

        return g_variant_new_double(isfinite(number) ? number : G_MAXDOUBLE);
    }
    return g_variant_new_int64(FIX2LONG(integer));
}

static GVariant *
from_array(VALUE array, guint depth, GError **error)
{
    long n = RARRAY_LEN(array);
    gboolean all_text = TRUE;
    GVariantBuilder builder;

    for (long i = 0; i < n; i++) {
        VALUE element = rb_ary_entry(array, i);

        all_text &= RB_TYPE_P(element, T_STRING) || RB_TYPE_P(element, T_SYMBOL);
    }
    g_variant_builder_init(&builder, all_text ? G_VARIANT_TYPE_STRING_ARRAY : G_VARIANT_TYPE("av"));
    for (long i = 0; i < n; i++) {
        g_autoptr(GVariant) element = from_ruby(rb_ary_entry(array, i), depth + 1, error);

        if (!element) {
            g_variant_builder_clear(&builder);
            return NULL;
        }
        if (all_text)
            g_variant_builder_add_value(&builder, element);
        else
            g_variant_builder_add(&builder, "v", element);
    }
    return g_variant_builder_end(&builder);
}

typedef struct {
    GVariantBuilder builder;
    guint depth;
    GError **error;
    gboolean failed;
} HashWalk;

static int
walk_pair(VALUE key, VALUE value, VALUE data)
{
    HashWalk *walk = (HashWalk *)data;
    g_autoptr(GVariant) name = NULL, converted = NULL;

    if (RB_TYPE_P(key, T_STRING) || RB_TYPE_P(key, T_SYMBOL))
        name = from_ruby(key, walk->depth, walk->error);
    else
        refuse(walk->error, "the keys of a hash must be strings or symbols");
    converted = name ? from_ruby(value, walk->depth, walk->error) : NULL;
    if (!converted) {
        walk->failed = TRUE;
        return ST_STOP;
    }
    g_variant_builder_add(&walk->builder, "{sv}", g_variant_get_string(name, NULL), converted);
    return ST_CONTINUE;
}

static GVariant *
from_hash(VALUE hash, guint depth, GError **error)
{
    HashWalk walk = { .depth = depth + 1, .error = error };

    g_variant_builder_init(&walk.builder, G_VARIANT_TYPE_VARDICT);
    rb_hash_foreach(hash, walk_pair, (VALUE)&walk);
    if (walk.failed) {
        g_variant_builder_clear(&walk.builder);
        return NULL;
    }
    return g_variant_builder_end(&walk.builder);
}

/* The value, not floating. */
static GVariant *
from_ruby(VALUE value, guint depth, GError **error)
{
    GVariant *variant = NULL;

    if (depth > DEPTH_MAX)
        return refuse(error, "arrays and hashes are nested too deeply");
    switch (rb_type(value)) {
    case T_NIL:
        variant = mm_value_nil();
        break;
    case T_TRUE:
    case T_FALSE:
        variant = g_variant_new_boolean(value == Qtrue);
        break;
    case T_FIXNUM:
    case T_BIGNUM:
        variant = from_integer(value, error);
        break;
    case T_FLOAT:
        variant = g_variant_new_double(RFLOAT_VALUE(value));
        break;
    case T_SYMBOL:
        variant = from_string(rb_sym2str(value), error);
        break;
    case T_STRING:
        variant = from_string(value, error);
        break;
    case T_ARRAY:
        variant = from_array(value, depth, error);
        break;
    case T_HASH:
        variant = from_hash(value, depth, error);
        break;
    default: {
        g_autofree char *what =
            g_strdup_printf("an object of %s cannot be a value", rb_obj_classname(value));

        return refuse(error, what);
    }
    }
    return variant ? g_variant_ref_sink(variant) : NULL;
}

GVariant *
mm_convert_from_ruby(VALUE value, GError **error)
{
    return from_ruby(value, 0, error);
}

VALUE
mm_convert_text(const char *text)
{
    return rb_enc_str_new_cstr(text, rb_utf8_encoding());
}

static VALUE
to_hash(GVariant *value)
{
    VALUE hash = rb_hash_new();
    GVariantIter iter;
    const char *key;
    GVariant *inner;

    g_variant_iter_init(&iter, value);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &inner))
        rb_hash_aset(hash, mm_convert_text(key), mm_convert_to_ruby(inner));
    return hash;
}

static VALUE
to_array(GVariant *value)
{
    VALUE array = rb_ary_new();

    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) inner = g_variant_get_child_value(value, i);

        rb_ary_push(array, mm_convert_to_ruby(inner));
    }
    return array;
}

VALUE
mm_convert_to_ruby(GVariant *value)
{
    if (mm_value_is_nil(value))
        return Qnil;
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_variant_get_boolean(value) ? Qtrue : Qfalse;
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        return LL2NUM(g_variant_get_int64(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT32))
        return INT2NUM(g_variant_get_int32(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        return DBL2NUM(g_variant_get_double(value));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return rb_obj_freeze(mm_convert_text(g_variant_get_string(value, NULL)));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
        g_autoptr(GVariant) inner = g_variant_get_variant(value);

        return mm_convert_to_ruby(inner);
    }
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return rb_obj_freeze(to_hash(value));
    return rb_obj_freeze(to_array(value));
}
