/* explain.c - see explain.h */
#include "config.h"
#include "src/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *const steps[] = {
    "connect", "helo", "mail", "rcpt", "data", "eoh", "eom", NULL
};

void
mm_explain_add_options(MmExplain *what, GOptionGroup *group)
{
    /* Filenames: bytes as they are, whatever the locale says. */
    const GOptionEntry entries[] = {
        { "explain", 0, 0, G_OPTION_ARG_FILENAME, &what->file,
          "Tell which milters would see the mail in FILE (\"-\": standard input), and why",
          "FILE" },
        { "client-address", 0, 0, G_OPTION_ARG_FILENAME, &what->client_address,
          "For --explain: the client's address, IPv4, IPv6, unix:PATH or unknown", "ADDRESS" },
        { "client-host", 0, 0, G_OPTION_ARG_FILENAME, &what->client_host,
          "For --explain: the client's name", "NAME" },
        { "helo", 0, 0, G_OPTION_ARG_FILENAME, &what->helo,
          "For --explain: the name the client gives at HELO", "NAME" },
        { "sender", 0, 0, G_OPTION_ARG_FILENAME, &what->sender,
          "For --explain: the sender; \"ADDRESS SIZE=1000\" adds parameters of MAIL", "ADDRESS" },
        { "recipient", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &what->recipients,
          "For --explain: a recipient; may be given several times", "ADDRESS" },
        { "macro", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &what->macros,
          "For --explain: a macro of the MTA, also STEP:NAME=VALUE; may be given several times",
          "NAME=VALUE" },
        G_OPTION_ENTRY_NULL,
    };

    g_option_group_add_entries(group, entries);
}

/* --- what was given --- */

static gboolean
bad(const char *option, const char *given, const char *wanted, GError **error)
{
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: \"%s\" is not %s", option,
                given, wanted);
    return FALSE;
}

/* The usual form of an address, NULL when it is none. */
static char *
normal_address(const char *text)
{
    static const struct {
        int family;
        gsize size;
    } kinds[] = { { AF_INET, 4 }, { AF_INET6, 16 } };
    char printed[INET6_ADDRSTRLEN];
    guint8 bytes[16];

    if ((g_str_has_prefix(text, "unix:") && text[strlen("unix:")]) || strcmp(text, "unknown") == 0)
        return g_strdup(text);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (inet_pton(kinds[i].family, text, bytes) == 1)
            return g_strdup(inet_ntop(kinds[i].family, bytes, printed, sizeof(printed)));
    }
    return NULL;
}

static gboolean
check_address(MmExplain *what, GError **error)
{
    char *address;

    if (!what->client_address)
        return TRUE;
    address = normal_address(what->client_address);
    if (!address)
        return bad("--client-address", what->client_address,
                   "an address such as 192.0.2.1, 2001:db8::1, unix:PATH or unknown", error);
    g_free(what->client_address);
    what->client_address = address;
    return TRUE;
}

static gboolean
check_macro(const char *text, GError **error)
{
    const char *equals = strchr(text, '='), *colon = strchr(text, ':');
    g_autofree char *step = NULL;

    if (!equals || equals == text)
        return bad("--macro", text, "NAME=VALUE or STEP:NAME=VALUE", error);
    if (!colon || colon > equals)
        return TRUE;
    step = g_strndup(text, (gsize)(colon - text));
    if (!g_strv_contains(steps, step) || colon + 1 == equals)
        return bad("--macro", text,
                   "STEP:NAME=VALUE with a step of connect, helo, mail, rcpt, data, eoh, eom",
                   error);
    return TRUE;
}

/* An envelope's address, parameters behind it. */
static gboolean
check_mailbox(const char *option, const char *text, GError **error)
{
    if (!*text || *text == ' ' || strpbrk(text, "\r\n"))
        return bad(option, text, "an address", error);
    return TRUE;
}

gboolean
mm_explain_check(MmExplain *what, GError **error)
{
    gboolean ok = check_address(what, error);

    if (!what->file && (what->client_address || what->client_host || what->helo || what->sender ||
                        what->recipients || what->macros)) {
        g_clear_error(error);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "options that describe a session are for --explain FILE only");
        return FALSE;
    }
    if (ok && what->sender)
        ok = check_mailbox("--sender", what->sender, error);
    for (guint i = 0; ok && what->recipients && what->recipients[i]; i++)
        ok = check_mailbox("--recipient", what->recipients[i], error);
    for (guint i = 0; ok && what->macros && what->macros[i]; i++)
        ok = check_macro(what->macros[i], error);
    return ok;
}

/* --- the mail --- */

static GBytes *
read_all(int fd, const char *name, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 part[65536];
    ssize_t n;

    do {
        n = read(fd, part, sizeof(part));
        if (n > 0)
            g_byte_array_append(bytes, part, (guint)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot read %s: %s", name,
                    g_strerror(errno));
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

gboolean
mm_explain_read(MmExplain *what, const char *directory, GError **error)
{
    g_autofree char *path = NULL;
    int fd;

    if (strcmp(what->file, "-") == 0) {
        what->mail = read_all(STDIN_FILENO, "standard input", error);
        return what->mail != NULL;
    }
    path = g_canonicalize_filename(what->file, directory);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot read %s: %s",
                    what->file, g_strerror(errno));
        return FALSE;
    }
    what->mail = read_all(fd, what->file, error);
    close(fd);
    return what->mail != NULL;
}

void
mm_explain_clear(MmExplain *what)
{
    g_clear_pointer(&what->file, g_free);
    g_clear_pointer(&what->mail, g_bytes_unref);
    g_clear_pointer(&what->client_address, g_free);
    g_clear_pointer(&what->client_host, g_free);
    g_clear_pointer(&what->helo, g_free);
    g_clear_pointer(&what->sender, g_free);
    g_clear_pointer(&what->recipients, g_strfreev);
    g_clear_pointer(&what->macros, g_strfreev);
}
