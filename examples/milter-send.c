/* milter-send.c - play a mail to milters as an MTA does, and show what they say
 *
 *     milter-send [--from ADDRESS] [--to ADDRESS]... [--output FILE] [--time] MAIL SPEC...
 *
 * MAIL is a file ("-": standard input), each SPEC a milter: unix:PATH, inet:PORT@HOST or
 * inet6:PORT@HOST.  Several are asked in order; each sees headers and body as the ones before
 * have changed them.  Prints every answer that is not just continue, every change, and the
 * verdict; then the mail as it would be delivered, or writes it to FILE.
 * Exits with 0: accepted, 1: something failed, 2: refused, 3: refused for now, 4: discarded.
 * Build it with: cc milter-send.c mail.c $(pkg-config --cflags --libs libmilter-server) */
#include <libmilter-server/server.h>
#include <stdlib.h>
#include <string.h>

#include "mail.h"

typedef enum {
    ACCEPTED,
    FAILED,
    REFUSED,
    REFUSED_FOR_NOW,
    DISCARDED,
} Verdict;

typedef struct {
    char *from;
    char **to;
    char *helo;
    char *client;
    char *address;
    char *output;
    gboolean is_verbose;
    gboolean shows_time;
} Options;

typedef struct {
    const Options *options;
    MilterLoop *loop;
    Mail *mail;
    GPtrArray *servers; /* MilterServer, one for each SPEC */
    char **specs;
    guint turn; /* which of them is asked */
} Play;

/* How a step is sent to one milter; DATA is the step's. */
typedef gboolean (*Send)(MilterServer *server, Play *play, gconstpointer data);

static const char *
who(const Play *play)
{
    return play->specs[play->turn];
}

static void
on_edit(MilterServer *server, const MilterServerEdit *edit, gpointer data)
{
    Play *play = data;
    g_autofree char *what = mail_edit(play->mail, edit);

    printf("%s: %s\n", who(play), what);
}

static const MilterServerHandler handler = { .edit = on_edit };

static Verdict
verdict_of(const MilterServerReply *reply)
{
    switch (reply->reply) {
    case SMFIR_REJECT:
        return REFUSED;
    case SMFIR_TEMPFAIL:
    case SMFIR_SHUTDOWN:
        return REFUSED_FOR_NOW;
    case SMFIR_REPLYCODE:
        return reply->text[0] == '5' ? REFUSED : REFUSED_FOR_NOW;
    case SMFIR_DISCARD:
        return DISCARDED;
    default:
        return ACCEPTED;
    }
}

static void
print_reply(const Play *play, MilterStep step, const MilterServerReply *reply)
{
    g_autofree char *name = g_ascii_strdown(milter_reply_name(reply->reply) + strlen("SMFIR_"), -1);

    if (reply->reply != SMFIR_CONTINUE || play->options->is_verbose)
        printf("%s: %s: %s\n", who(play), milter_step_name(step), reply->text ? reply->text : name);
}

static Verdict
fail(const Play *play, MilterServer *server)
{
    fprintf(stderr, "milter-send: %s\n", milter_server_failure(server));
    return FAILED;
}

/* Ask one milter. */
static Verdict
ask_one(Play *play, guint turn, MilterStep step, Send send, gconstpointer data)
{
    MilterServer *server = g_ptr_array_index(play->servers, turn);

    play->turn = turn;
    if (!send(server, play, data) || !milter_server_wait(server))
        return fail(play, server);
    print_reply(play, step, milter_server_reply(server));
    return verdict_of(milter_server_reply(server));
}

/* Ask all of them in order, until one does not let it pass. */
static Verdict
ask_all(Play *play, MilterStep step, Send send, gconstpointer data)
{
    Verdict verdict = ACCEPTED;

    for (guint i = 0; i < play->servers->len && verdict == ACCEPTED; i++)
        verdict = ask_one(play, i, step, send, data);
    return verdict;
}

static gboolean
send_connect(MilterServer *server, Play *play, gconstpointer data)
{
    const Options *options = play->options;
    const MilterConnect connect = { options->client, SMFIA_INET, 25000, options->address };
    const char *const macros[] = { "j",           "milter-send.example",
                                   "client_addr", options->address,
                                   "client_name", options->client,
                                   NULL };

    milter_server_set_macros(server, MILTER_STEP_CONNECT, macros);
    return milter_server_connect(server, &connect);
}

static gboolean
send_helo(MilterServer *server, Play *play, gconstpointer data)
{
    return milter_server_helo(server, play->options->helo);
}

static gboolean
send_mail(MilterServer *server, Play *play, gconstpointer data)
{
    const char *const macros[] = { "mail_addr", play->mail->sender, NULL };
    const char *const id[] = { "i", "MILTER-SEND", NULL };

    milter_server_set_macros(server, MILTER_STEP_MAIL, macros);
    milter_server_set_macros(server, MILTER_STEP_DATA, id);
    milter_server_set_macros(server, MILTER_STEP_EOH, id);
    milter_server_set_macros(server, MILTER_STEP_EOM, id);
    return milter_server_mail(server, play->mail->sender, NULL);
}

static gboolean
send_rcpt(MilterServer *server, Play *play, gconstpointer address)
{
    const char *const macros[] = { "rcpt_addr", address, NULL };

    milter_server_set_macros(server, MILTER_STEP_RCPT, macros);
    return milter_server_rcpt(server, address, NULL);
}

static gboolean
send_data(MilterServer *server, Play *play, gconstpointer data)
{
    return milter_server_data(server);
}

static gboolean
send_header(MilterServer *server, Play *play, gconstpointer data)
{
    const MailHeader *header = data;

    return milter_server_header(server, header->name, header->value);
}

static gboolean
send_eoh(MilterServer *server, Play *play, gconstpointer data)
{
    return milter_server_eoh(server);
}

static gboolean
send_body(MilterServer *server, Play *play, gconstpointer data)
{
    return milter_server_body(server, play->mail->body->data, play->mail->body->len);
}

static gboolean
send_eom(MilterServer *server, Play *play, gconstpointer data)
{
    return milter_server_eom(server);
}

/* Ask about every recipient; who is refused is not delivered to. */
static Verdict
play_recipients(Play *play)
{
    GPtrArray *recipients = play->mail->recipients;
    Verdict verdict = REFUSED;

    for (guint i = 0; i < recipients->len;) {
        verdict = ask_all(play, MILTER_STEP_RCPT, send_rcpt, g_ptr_array_index(recipients, i));
        if (verdict == FAILED || verdict == DISCARDED)
            return verdict;
        if (verdict == ACCEPTED)
            i++;
        else
            g_ptr_array_remove_index(recipients, i);
    }
    return recipients->len > 0 ? ACCEPTED : verdict;
}

/* Headers, body and end of message for one milter; its changes go into the mail. */
static Verdict
play_content(Play *play, guint turn)
{
    Verdict verdict = ACCEPTED;

    mail_begin_edits(play->mail);
    for (guint i = 0; i < play->mail->headers->len && verdict == ACCEPTED; i++)
        verdict = ask_one(play, turn, MILTER_STEP_HEADER, send_header,
                          g_ptr_array_index(play->mail->headers, i));
    if (verdict == ACCEPTED)
        verdict = ask_one(play, turn, MILTER_STEP_EOH, send_eoh, NULL);
    if (verdict == ACCEPTED && play->mail->body->len > 0)
        verdict = ask_one(play, turn, MILTER_STEP_BODY, send_body, NULL);
    if (verdict == ACCEPTED)
        verdict = ask_one(play, turn, MILTER_STEP_EOM, send_eom, NULL);
    return verdict;
}

static Verdict
play_mail(Play *play)
{
    Verdict verdict = ask_all(play, MILTER_STEP_CONNECT, send_connect, NULL);

    if (verdict == ACCEPTED)
        verdict = ask_all(play, MILTER_STEP_HELO, send_helo, NULL);
    if (verdict == ACCEPTED)
        verdict = ask_all(play, MILTER_STEP_MAIL, send_mail, NULL);
    if (verdict == ACCEPTED)
        verdict = play_recipients(play);
    if (verdict == ACCEPTED)
        verdict = ask_all(play, MILTER_STEP_DATA, send_data, NULL);
    for (guint i = 0; i < play->servers->len && verdict == ACCEPTED; i++)
        verdict = play_content(play, i);
    return verdict;
}

static void
free_server(gpointer object)
{
    MilterServer *server = object;

    milter_server_quit(server, FALSE);
    milter_server_free(&server);
}

static Verdict
connect_all(Play *play, GError **error)
{
    for (play->turn = 0; who(play); play->turn++) {
        MilterServer *server =
            milter_server_new(play->loop, who(play), NULL, NULL, &handler, play, error);

        if (!server)
            return FAILED;
        g_ptr_array_add(play->servers, server);
        if (!milter_server_wait(server))
            return fail(play, server);
    }
    return ACCEPTED;
}

static char *
in_brackets(const char *address)
{
    return address[0] == '<' ? g_strdup(address) : g_strconcat("<", address, ">", NULL);
}

static void
print_verdict(const Play *play, Verdict verdict)
{
    static const char *const names[] = {
        [ACCEPTED] = "accepted",
        [REFUSED] = "refused",
        [REFUSED_FOR_NOW] = "refused for now",
        [DISCARDED] = "discarded",
    };

    printf("verdict: %s\n", names[verdict]);
    if (verdict != ACCEPTED)
        return;
    printf("from: %s\n", play->mail->sender);
    for (guint i = 0; i < play->mail->recipients->len; i++)
        printf("to: %s\n", (const char *)g_ptr_array_index(play->mail->recipients, i));
}

static gboolean
write_mail(const Play *play)
{
    const char *path = play->options->output;
    FILE *file = path ? fopen(path, "w") : stdout;

    if (!file) {
        fprintf(stderr, "milter-send: cannot write %s\n", path);
        return FALSE;
    }
    if (!path)
        putchar('\n');
    mail_write(play->mail, file);
    return path ? fclose(file) == 0 : TRUE;
}

static Verdict
run(const Options *options, const char *path, char **specs)
{
    Play play = { .options = options, .specs = specs };
    g_autoptr(GError) error = NULL;
    gint64 start;
    Verdict verdict;

    play.mail = mail_read(path, &error);
    if (!play.mail) {
        fprintf(stderr, "milter-send: %s\n", error->message);
        return FAILED;
    }
    play.mail->sender = in_brackets(options->from);
    for (char **to = options->to; *to; to++)
        g_ptr_array_add(play.mail->recipients, in_brackets(*to));
    play.loop = milter_loop_new();
    play.servers = g_ptr_array_new_with_free_func(free_server);
    start = g_get_monotonic_time();
    verdict = connect_all(&play, &error);
    if (error)
        fprintf(stderr, "milter-send: %s\n", error->message);
    if (verdict == ACCEPTED)
        verdict = play_mail(&play);
    if (verdict != FAILED)
        print_verdict(&play, verdict);
    if (options->shows_time)
        printf("time: %.1f ms\n", (double)(g_get_monotonic_time() - start) / 1000);
    if (verdict == ACCEPTED && !write_mail(&play))
        verdict = FAILED;
    g_ptr_array_unref(play.servers);
    milter_loop_free(&play.loop);
    mail_free(play.mail);
    return verdict;
}

/* Not before the command line was read: GLib does not free what it replaces. */
static void
set_defaults(Options *options)
{
    if (!options->from)
        options->from = g_strdup("sender@example.com");
    if (!options->to)
        options->to = g_strsplit("recipient@example.net", ",", -1);
    if (!options->helo)
        options->helo = g_strdup("client.example");
    if (!options->client)
        options->client = g_strdup("client.example");
    if (!options->address)
        options->address = g_strdup("192.0.2.1");
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    const GOptionEntry entries[] = {
        { "from", 0, 0, G_OPTION_ARG_STRING, &options.from, "Envelope sender", "ADDRESS" },
        { "to", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.to, "A recipient", "ADDRESS" },
        { "helo", 0, 0, G_OPTION_ARG_STRING, &options.helo, "Name in HELO", "NAME" },
        { "client-name", 0, 0, G_OPTION_ARG_STRING, &options.client, "Client's name", "NAME" },
        { "client-address", 0, 0, G_OPTION_ARG_STRING, &options.address, "Its IPv4 address", "IP" },
        { "output", 0, 0, G_OPTION_ARG_FILENAME, &options.output, "Put the mail there", "FILE" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options.is_verbose, "Print all answers", NULL },
        { "time", 0, 0, G_OPTION_ARG_NONE, &options.shows_time, "Print how long it took", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("MAIL SPEC... - play a mail");
    g_autoptr(GError) error = NULL;
    Verdict verdict = FAILED;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "milter-send: %s\n", error->message);
    } else if (argc < 3) {
        fprintf(stderr, "milter-send: give a mail and where the milter listens, such as "
                        "mail.eml unix:/tmp/tag.sock\n");
    } else {
        set_defaults(&options);
        verdict = run(&options, argv[1], argv + 2);
    }
    g_free(options.from);
    g_strfreev(options.to);
    g_free(options.helo);
    g_free(options.client);
    g_free(options.address);
    g_free(options.output);
    return verdict;
}
