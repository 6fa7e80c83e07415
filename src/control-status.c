/* control-status.c - see control.h: what "status" answers, for people and for programs */
#include "config.h"
#include "src/control.h"

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
put_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const guchar *p = (const guchar *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            g_string_append_printf(out, "\\u%04x", *p);
        else
            g_string_append_c(out, (char)*p);
    }
    g_string_append_c(out, '"');
}

static void
put_json_counters(GString *out, const guint64 *counters, guint n, Name name)
{
    for (guint i = 0; i < n; i++)
        g_string_append_printf(out, "%s\"%s\": %" G_GUINT64_FORMAT, i ? ", " : "", name(i),
                               counters[i]);
    g_string_append_c(out, '}');
}

static void
put_json(Status *status)
{
    MmSupervisor *supervisor = status->supervisor;
    GPtrArray *children = supervisor->settings ? supervisor->settings->children : NULL;
    GString *out = status->out;

    g_string_append_printf(out,
                           "{\"version\": \"%s\", \"pid\": %d, \"state\": \"%s\", \"uptime_s\": "
                           "%" G_GINT64_FORMAT ", \"generation\": %u, \"sessions\": "
                           "%" G_GINT64_FORMAT ", \"listening\": ",
                           PACKAGE_VERSION, (int)getpid(), state_of(supervisor),
                           uptime_of(supervisor),
                           supervisor->current ? supervisor->current->serial : 0, status->sessions);
    put_string(out, supervisor->listener ? mm_listener_spec(supervisor->listener) : "");
    g_string_append(out, ", \"totals\": {");
    put_json_counters(out, status->totals.counters, MM_N_STATS, stat_name);
    g_string_append(out, ", \"workers\": [");
    for (guint i = 0; i < supervisor->workers->len; i++) {
        const MmWorkerRecord *worker = g_ptr_array_index(supervisor->workers, i);

        g_string_append_printf(out,
                               "%s{\"number\": %u, \"pid\": %d, \"generation\": %u, \"sessions\": "
                               "%" G_GINT64_FORMAT "}",
                               i ? ", " : "", worker->number, (int)worker->pid, worker->generation,
                               worker->stats->page->gauges[MM_GAUGE_SESSIONS]);
    }
    g_string_append(out, "], \"children\": [");
    for (guint i = 0; children && i < children->len; i++) {
        const MmChild *child = g_ptr_array_index(children, i);

        g_string_append(out, i ? ", {\"name\": " : "{\"name\": ");
        put_string(out, child->name);
        g_string_append_printf(out, ", \"enabled\": %s, ", child->enabled ? "true" : "false");
        put_json_counters(out, counters_of(status, child), MM_N_CHILD_STATS, child_stat_name);
    }
    g_string_append(out, "]}\n");
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
