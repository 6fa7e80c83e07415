/* control-status.c - see control.h: what "status" answers, for people and for programs */
#include "config.h"
#include "src/control.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/supervisor-private.h"

typedef struct {
    MmSupervisor *supervisor;
    MmTotals totals;
    gint64 sessions;
    GString *out;
} Status;

typedef const char *(*Name)(guint which);

static const char *
stat_name(guint which)
{
    return mm_stat_name((MmStat)which);
}

static const char *
child_stat_name(guint which)
{
    return mm_child_stat_name((MmChildStat)which);
}

static const char *
state_of(const MmSupervisor *supervisor)
{
    if (supervisor->is_stopping)
        return "stopping";
    return supervisor->pending ? "loading" : "running";
}

static gint64
uptime_of(const MmSupervisor *supervisor)
{
    return (g_get_monotonic_time() - supervisor->started_at) / G_USEC_PER_SEC;
}

static const guint64 *
counters_of(const Status *status, const MmChild *child)
{
    static const guint64 none[MM_N_CHILD_STATS];
    const guint64 *counters = g_hash_table_lookup(status->totals.children, child->name);

    return counters ? counters : none;
}

/* --- for people --- */

static void
put_counters(GString *out, const guint64 *counters, guint n, Name name)
{
    for (guint i = 0; i < n; i++)
        g_string_append_printf(out, " %s=%" G_GUINT64_FORMAT, name(i), counters[i]);
    g_string_append_c(out, '\n');
}

static void
put_text(Status *status)
{
    MmSupervisor *supervisor = status->supervisor;
    GPtrArray *children = supervisor->settings ? supervisor->settings->children : NULL;

    g_string_append_printf(
        status->out,
        "version=%s pid=%d state=%s uptime_s=%" G_GINT64_FORMAT
        " generation=%u workers=%u sessions=%" G_GINT64_FORMAT " listening=%s\n",
        PACKAGE_VERSION, (int)getpid(), state_of(supervisor), uptime_of(supervisor),
        supervisor->current ? supervisor->current->serial : 0, supervisor->workers->len,
        status->sessions, supervisor->listener ? mm_listener_spec(supervisor->listener) : "-");
    g_string_append(status->out, "totals");
    put_counters(status->out, status->totals.counters, MM_N_STATS, stat_name);
    for (guint i = 0; i < supervisor->workers->len; i++) {
        const MmWorkerRecord *worker = g_ptr_array_index(supervisor->workers, i);

        g_string_append_printf(status->out,
                               "worker=%u pid=%d generation=%u sessions=%" G_GINT64_FORMAT "\n",
                               worker->number, (int)worker->pid, worker->generation,
                               worker->stats->page->gauges[MM_GAUGE_SESSIONS]);
    }
    for (guint i = 0; children && i < children->len; i++) {
        const MmChild *child = g_ptr_array_index(children, i);
        g_autofree char *name = milter_log_escape(child->name, strlen(child->name), 200);

        g_string_append_printf(status->out, "child=%s enabled=%s", name,
                               child->enabled ? "true" : "false");
        put_counters(status->out, counters_of(status, child), MM_N_CHILD_STATS, child_stat_name);
    }
}

/* --- for programs --- */

static void
put_json_counters(JsonBuilder *json, const guint64 *counters, guint n, Name name)
{
    for (guint i = 0; i < n; i++) {
        json_builder_set_member_name(json, name(i));
        json_builder_add_int_value(json, (gint64)counters[i]);
    }
}

static void
put_json_int(JsonBuilder *json, const char *name, gint64 value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, value);
}

static void
put_json_string(JsonBuilder *json, const char *name, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1);

    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, valid);
}

static void
put_json_head(JsonBuilder *json, const Status *status)
{
    MmSupervisor *supervisor = status->supervisor;

    put_json_string(json, "version", PACKAGE_VERSION);
    put_json_int(json, "pid", getpid());
    put_json_string(json, "state", state_of(supervisor));
    put_json_int(json, "uptime_s", uptime_of(supervisor));
    put_json_int(json, "generation", supervisor->current ? supervisor->current->serial : 0);
    put_json_int(json, "sessions", status->sessions);
    put_json_string(json, "listening",
                    supervisor->listener ? mm_listener_spec(supervisor->listener) : "");
    json_builder_set_member_name(json, "totals");
    json_builder_begin_object(json);
    put_json_counters(json, status->totals.counters, MM_N_STATS, stat_name);
    json_builder_end_object(json);
}

static void
put_json_workers(JsonBuilder *json, const GPtrArray *workers)
{
    json_builder_set_member_name(json, "workers");
    json_builder_begin_array(json);
    for (guint i = 0; i < workers->len; i++) {
        const MmWorkerRecord *worker = g_ptr_array_index(workers, i);

        json_builder_begin_object(json);
        put_json_int(json, "number", worker->number);
        put_json_int(json, "pid", worker->pid);
        put_json_int(json, "generation", worker->generation);
        put_json_int(json, "sessions", worker->stats->page->gauges[MM_GAUGE_SESSIONS]);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void
put_json_children(JsonBuilder *json, Status *status)
{
    const MmSettings *settings = status->supervisor->settings;

    json_builder_set_member_name(json, "children");
    json_builder_begin_array(json);
    for (guint i = 0; settings && i < settings->children->len; i++) {
        const MmChild *child = g_ptr_array_index(settings->children, i);

        json_builder_begin_object(json);
        put_json_string(json, "name", child->name);
        json_builder_set_member_name(json, "enabled");
        json_builder_add_boolean_value(json, child->enabled);
        put_json_counters(json, counters_of(status, child), MM_N_CHILD_STATS, child_stat_name);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void
put_json(Status *status)
{
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(json);
    put_json_head(json, status);
    put_json_workers(json, status->supervisor->workers);
    put_json_children(json, status);
    json_builder_end_object(json);
    root = json_builder_get_root(json);
    text = json_to_string(root, FALSE);
    g_string_append(status->out, text);
    g_string_append_c(status->out, '\n');
}

char *
mm_control_status(MmSupervisor *supervisor, gboolean as_json)
{
    Status status = { .supervisor = supervisor, .out = g_string_new(NULL) };

    mm_supervisor_totals(supervisor, &status.totals, &status.sessions);
    if (as_json)
        put_json(&status);
    else
        put_text(&status);
    mm_totals_clear(&status.totals);
    return g_string_free(status.out, FALSE);
}
