/* milter-tag.c - a small milter: adds a header field, refuses one sender
 *
 *     milter-tag [--header NAME] [--value TEXT] [--refuse ADDRESS] [--verbose] SPEC
 *
 * SPEC is where it listens: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST.
 * Build it with: cc milter-tag.c $(pkg-config --cflags --libs libmilter-client) */
#include <libmilter-client/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *header;
    char *value;
    char *refuse; /* NULL: nobody */
    gboolean is_verbose;
} Options;

/* Whether ADDRESS, as it stands in MAIL FROM, is the one without brackets. */
static gboolean
is_address(const char *address, const char *wanted)
{
    g_autofree char *bracketed = g_strconcat("<", wanted, ">", NULL);

    return g_ascii_strcasecmp(address, bracketed) == 0 || g_ascii_strcasecmp(address, wanted) == 0;
}

/* Say what was done, where that is wanted. */
static void G_GNUC_PRINTF(2, 3) tell(const Options *options, const char *format, ...)
{
    va_list arguments;

    if (!options->is_verbose)
        return;
    va_start(arguments, format);
    fputs("milter-tag: ", stdout);
    vprintf(format, arguments);
    fputc('\n', stdout);
    fflush(stdout);
    va_end(arguments);
}

static MilterClientAnswer
on_mail(MilterClientSession *session, const MilterEnvelope *sender, gpointer data)
{
    const Options *options = data;

    if (!options->refuse || !is_address(sender->address, options->refuse))
        return MILTER_CLIENT_CONTINUE;
    tell(options, "refused the sender %s", sender->address);
    return milter_client_refuse(session, 550, "5.7.1", "We do not take your mail");
}

static MilterClientAnswer
on_eom(MilterClientSession *session, gpointer data)
{
    const Options *options = data;

    if (milter_client_add_header(session, options->header, options->value))
        tell(options, "added the header %s: %s", options->header, options->value);
    else
        fprintf(stderr, "milter-tag: the header cannot be added\n");
    return MILTER_CLIENT_CONTINUE;
}

static const MilterClientSteps steps = {
    .actions = SMFIF_ADDHDRS,
    .mail = on_mail,
    .eom = on_eom,
};

static gboolean
serve(const char *spec, Options *options, GError **error)
{
    MilterLoop *loop = milter_loop_new();
    MilterClient *client = milter_client_new(loop, &steps, options);
    gboolean is_listening = milter_client_listen(client, spec, error);

    if (is_listening)
        milter_client_run(client, 1);
    milter_client_free(&client);
    milter_loop_free(&loop);
    return is_listening;
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    const GOptionEntry entries[] = {
        { "header", 0, 0, G_OPTION_ARG_STRING, &options.header, "Name of the header", "NAME" },
        { "value", 0, 0, G_OPTION_ARG_STRING, &options.value, "Its value", "TEXT" },
        { "refuse", 0, 0, G_OPTION_ARG_STRING, &options.refuse, "Refuse this sender", "ADDRESS" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options.is_verbose, "Say what is done", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("SPEC - add a header to each mail");
    g_autoptr(GError) error = NULL;
    gboolean is_good;

    g_option_context_add_main_entries(context, entries, NULL);
    is_good = g_option_context_parse(context, &argc, &argv, &error);
    if (is_good && argc != 2) {
        fprintf(stderr, "milter-tag: give one SPEC to listen on, such as unix:/tmp/tag.sock\n");
        return EXIT_FAILURE;
    }
    if (!options.header)
        options.header = g_strdup("X-Tag");
    if (!options.value)
        options.value = g_strdup("seen");
    if (is_good)
        is_good = serve(argv[1], &options, &error);
    if (!is_good)
        fprintf(stderr, "milter-tag: %s\n", error->message);
    g_free(options.header);
    g_free(options.value);
    g_free(options.refuse);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
