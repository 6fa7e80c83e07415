/* generation.c - see generation.h: loading, and becoming what the configuration says */
#include "config.h"
#include "src/generation.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/channel.h"
#include "src/crew.h"
#include "src/environment.h"
#include "src/logfile.h"
#include "src/privilege.h"
#include "src/process.h"
#include "src/show-config.h"

typedef struct {
    const MmOptions *options;
    const MmRules *rules;
    int channel;
    guint64 *beat;
    MmTally *tally;
    MmSettings *settings; /* owned */
    int listen_fd;        /* -1 until it came; owned */
} Generation;

void
mm_generation_unmap_beat(guint64 **beat_p)
{
    if (*beat_p)
        munmap(*beat_p, sizeof(**beat_p));
    *beat_p = NULL;
}

/* The configuration, complete: evaluated, with the command line's say, and finished. */
static gboolean
load(Generation *generation, GError **error)
{
    const MmOptions *options = generation->options;

    (void)!chdir(options->start_dir);
    generation->settings = mm_settings_new();
    if (!mm_environment_apply(generation->settings, error) || !generation->rules->start(error))
        return FALSE;
    if (options->mode == MM_MODE_EXPLAIN)
        generation->rules->trace();
    return generation->rules->load(options->config_dir, generation->settings, error) &&
           mm_options_apply(options, generation->settings, error) &&
           mm_settings_finish(generation->settings, error);
}

static gboolean
send_bytes(Generation *generation, MmMessageKind kind, const char *text, GBytes *bytes,
           GError **error)
{
    int fd = mm_memory_file_new(bytes, error);
    gboolean sent;

    if (fd < 0)
        return FALSE;
    sent = mm_channel_send(generation->channel, kind, text, fd);
    close(fd);
    if (!sent)
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PIPE, "the supervisor is gone");
    return sent;
}

static gboolean
report_shown(Generation *generation, GError **error)
{
    g_autofree char *conditions =
        generation->rules->dump(generation->settings, generation->options->with_secrets, error);
    g_autoptr(GBytes) bytes = NULL;
    char *text;

    if (!conditions)
        return FALSE;
    text = mm_show_config(generation->settings, conditions, generation->options->with_secrets);
    bytes = g_bytes_new_take(text, strlen(text));
    return send_bytes(generation, MM_MESSAGE_SHOWN, NULL, bytes, error);
}

static gboolean
report_detected(Generation *generation, GError **error)
{
    guint n_problems = 0;
    char *text = generation->rules->detect(generation->settings, generation->options->json,
                                           &n_problems, error);
    g_autoptr(GBytes) bytes = text ? g_bytes_new_take(text, strlen(text)) : NULL;

    return bytes && send_bytes(generation, MM_MESSAGE_SHOWN, n_problems > 0 ? "problems" : NULL,
                               bytes, error);
}

/* As the user who decides in earnest: what only root can read, conditions cannot. */
static gboolean
report_explanation(Generation *generation, const MmExplain *what, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    char *text;

    if (!mm_privilege_drop(generation->settings, error))
        return FALSE;
    text = generation->rules->explain(generation->settings, what, error);
    if (!text)
        return FALSE;
    bytes = g_bytes_new_take(text, strlen(text));
    return send_bytes(generation, MM_MESSAGE_SHOWN, NULL, bytes, error);
}

static gboolean
report_settings(Generation *generation, GError **error)
{
    g_autoptr(GBytes) bytes = mm_settings_pack(generation->settings);

    return send_bytes(generation, MM_MESSAGE_SETTINGS, NULL, bytes, error);
}

/* Wait for log and listening socket.  FALSE: we are not wanted. */
static gboolean
receive_go(Generation *generation)
{
    MmMessage message;

    while (mm_channel_receive(generation->channel, TRUE, &message) == MM_CHANNEL_MESSAGE) {
        if (message.kind == MM_MESSAGE_LOG && message.fd >= 0) {
            mm_log_start(generation->settings, message.fd);
        } else if (message.kind == MM_MESSAGE_GO && message.fd >= 0) {
            generation->listen_fd = message.fd;
            return TRUE;
        } else {
            return FALSE;
        }
    }
    return FALSE;
}

static void
ignore_signals(void)
{
    /* A terminal's ^C goes to all of us; only the supervisor decides what it means. */
    static const int ignored[] = { SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE, SIGQUIT };

    for (guint i = 0; i < G_N_ELEMENTS(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

static void
log_notes(const MmSettings *settings)
{
    for (guint i = 0; i < settings->notes->len; i++)
        milter_warning("%s", (const char *)g_ptr_array_index(settings->notes, i));
    if (geteuid() == 0)
        milter_warning("handling mail as root; set security.effective_user");
    for (guint i = 0; i < settings->news->len; i++)
        milter_notice("%s", (const char *)g_ptr_array_index(settings->news, i));
}

static void
print_notes(const MmSettings *settings)
{
    for (guint i = 0; i < settings->notes->len; i++)
        fprintf(stderr, "%s\n", (const char *)g_ptr_array_index(settings->notes, i));
}

/* Everything between "loaded" and the first worker that can fail. */
static gboolean
settle(Generation *generation, GError **error)
{
    if (!mm_privilege_raise_limits(generation->settings, error) ||
        !mm_privilege_drop(generation->settings, error))
        return FALSE;
    if (generation->settings->daemon)
        mm_process_leave_terminal();
    (void)!chdir("/");
    ignore_signals();
    log_notes(generation->settings);
    return TRUE;
}

static int
fail(Generation *generation, const GError *error)
{
    mm_channel_send(generation->channel, MM_MESSAGE_ERROR, error->message, -1);
    return EXIT_FAILURE;
}

static int
explain(Generation *generation)
{
    g_autoptr(GError) error = NULL;
    MmExplain what = generation->options->explain;
    gboolean ok = mm_explain_read(&what, generation->options->start_dir, &error) &&
                  load(generation, &error) && report_explanation(generation, &what, &error);

    g_clear_pointer(&what.mail, g_bytes_unref);
    return ok ? EXIT_SUCCESS : fail(generation, error);
}

static int
run(Generation *generation)
{
    g_autoptr(GError) error = NULL;

    if (generation->options->mode == MM_MODE_EXPLAIN)
        return explain(generation);
    ignore_signals();
    if (!load(generation, &error))
        return fail(generation, error);
    if (generation->options->mode == MM_MODE_SHOW_CONFIG)
        return report_shown(generation, &error) ? EXIT_SUCCESS : fail(generation, error);
    if (generation->options->mode == MM_MODE_DETECT)
        return report_detected(generation, &error) ? EXIT_SUCCESS : fail(generation, error);
    /* For whoever asks at the control socket. */
    if (generation->options->mode == MM_MODE_RUN && generation->settings->controller_spec &&
        !report_shown(generation, &error))
        return fail(generation, error);
    if (!report_settings(generation, &error))
        return fail(generation, error);
    if (generation->options->mode == MM_MODE_CONTROL)
        return EXIT_SUCCESS;
    if (generation->options->mode == MM_MODE_CHECK) {
        print_notes(generation->settings);
        return EXIT_SUCCESS;
    }
    if (!receive_go(generation))
        return EXIT_SUCCESS;
    if (!settle(generation, &error))
        return fail(generation, error);
    return mm_crew_run(generation->rules, generation->settings, generation->channel,
                       generation->listen_fd, generation->beat, generation->tally);
}

static void G_GNUC_NORETURN
be_generation(Generation *generation, const MmSettings *settings)
{
    int log_fd = mm_log_fd();
    int *keep[] = { &generation->channel, &log_fd };
    int status;

    mm_process_reset_signals();
    mm_log_forget();
    mm_process_keep_only(keep, G_N_ELEMENTS(keep));
    mm_log_set_tag("generation");
    prctl(PR_SET_NAME, "mm-generation");
    if (settings && log_fd >= 0)
        mm_log_start(settings, log_fd);
    status = run(generation);
    generation->rules->stop(status);
    mm_settings_free(&generation->settings);
    exit(status);
}

gboolean
mm_generation_launch(const MmOptions *options, const MmRules *rules, const MmSettings *settings,
                     MmTally *tally, MmGenerationProcess *process, GError **error)
{
    Generation generation = {
        .options = options, .rules = rules, .tally = tally, .listen_fd = -1
    };
    int ends[2];
    pid_t pid;
    void *beat;

    if (!mm_process_check(error) || !mm_channel_new(ends, error))
        return FALSE;
    beat = mmap(NULL, sizeof(guint64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    pid = beat == MAP_FAILED ? -1 : fork();
    if (pid == 0) {
        generation.channel = ends[1];
        generation.beat = beat;
        be_generation(&generation, settings);
    }
    close(ends[1]);
    if (pid < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "cannot start a process: %s", g_strerror(errno));
        if (beat != MAP_FAILED)
            munmap(beat, sizeof(guint64));
        close(ends[0]);
        return FALSE;
    }
    mm_channel_want_pids(ends[0]);
    *process = (MmGenerationProcess){
        .pid = pid,
        .pidfd = mm_process_open(pid),
        .channel = ends[0],
        .beat = beat,
    };
    return TRUE;
}
