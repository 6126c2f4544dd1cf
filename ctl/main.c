/* ttctl: the command line of the upgrade service.
 *
 * It only asks the service over D-Bus and shows what comes back; it never reads or changes anything
 * of TimesTen or of the service itself, so it works the same from another host.
 */
#include "ctl/agent.h"
#include "ctl/bus.h"
#include "ctl/report.h"
#include "ctl/verbs.h"

#include <locale.h>

/* What was printed must have arrived: a full disk behind "ttctl --json >file" is a failure. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "ttctl: Cannot write the output\n");
    return status == 0 ? EXIT_FAILURE : status;
}

static int run(const Verb *verb, const Options *options, char **arguments)
{
    g_autoptr(GError) error = NULL;
    Session session = { options, NULL };
    Agent *agent = NULL;
    int status;

    if (verb->needs_bus) {
        session.bus = bus_open(options, &error);
        if (!session.bus)
            return report_error(options, error);
        agent = agent_start(options);
    }
    status = verb->run(&session, arguments, &error);
    agent_stop(agent);
    sd_bus_flush_close_unref(session.bus);
    return error ? report_error(options, error) : status;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char **words = NULL;
    g_autoptr(Options) options = NULL;
    const Verb *verb;

    setlocale(LC_ALL, "");
    options = options_parse(argc, argv, &words, &error);
    if (!options)
        return report_usage(error);
    if (options->help) {
        verbs_print_help(stdout);
        return close_output(0);
    }
    if (options->version) {
        puts("timesten-upgrade " VERSION);
        return close_output(0);
    }
    verb = verb_find(words, &error);
    if (!verb || !options_suit(options, verb->name, verb->groups, &error))
        return report_usage(error);
    return close_output(run(verb, options, words + 1));
}
