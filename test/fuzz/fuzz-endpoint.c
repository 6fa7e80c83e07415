/* fuzz-endpoint.c - a connection spec; host names are left out, they would be looked up */
#include "config.h"

#include "libmilter-core/endpoint.h"
#include "test/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *spec = g_strndup((const char *)data, size);
    const char *at = strchr(spec, '@');
    g_autoptr(GError) error = NULL;
    MilterEndpoint *endpoint;
    MilterEndpoint *copy;

    if (at && at[1] != '[')
        return 0;
    endpoint = milter_endpoint_parse(spec, &error);
    if (endpoint == NULL) {
        g_assert_nonnull(error);
        g_assert_true(error->domain == MILTER_ENDPOINT_ERROR);
        g_assert_true(g_str_has_prefix(error->message, *spec ? spec : "\"\": "));
        return 0;
    }
    g_assert_no_error(error);
    g_assert_cmpstr(endpoint->spec, ==, spec);
    g_assert_cmpuint(endpoint->address_size, >, sizeof(sa_family_t));
    g_assert_cmpuint(endpoint->address_size, <=, sizeof(endpoint->address));
    if (milter_endpoint_path(endpoint))
        g_assert_true(g_str_has_suffix(spec, milter_endpoint_path(endpoint)));
    copy = milter_endpoint_copy(endpoint);
    g_assert_true(milter_endpoint_equal(endpoint, copy));
    milter_endpoint_free(&copy);
    copy = milter_endpoint_parse(endpoint->spec, NULL);
    g_assert_true(milter_endpoint_equal(endpoint, copy));
    milter_endpoint_free(&copy);
    milter_endpoint_free(&endpoint);
    return 0;
}
