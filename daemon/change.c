#include "daemon/change.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "daemon/start.h"
#include "common/error.h"

static gboolean is_same(const Job *job, const Call *call)
{
    const JobRequest *request = job->request;

    return g_str_equal(request->kind, call->kind) && g_str_equal(request->to, call->to) &&
           g_str_equal(request->method, call->method) &&
           options_same(request->options, call->options);
}

/* What the call asks for; the strings stay the call's. */
static JobRequest wish_of(const Call *call)
{
    return (JobRequest){
        .kind = (char *)call->kind,
        .server = call->server,
        .from = call->from,
        .to = call->to,
        .method = call->method,
        .options = call->options,
        .uid = call_person(call),
        .created = g_get_real_time(),
    };
}

static Job *create(Call *call, JobRequest *request, GError **error)
{
    g_autofree char *unit = NULL;

    request->pid = call_process(call, &unit);
    request->unit = unit;
    if (!request_create(request, error))
        return NULL;
    log_line(LOG_NOTICE, &(LogFields){ .server = call->server, .job = request->id },
             "Job %" G_GUINT64_FORMAT ": %s of server %s from %s to %s, asked for by user %u",
             request->id, call->kind, call->server, call->from, call->to, request->uid);
    return jobs_add(call->object->daemon, request->id);
}

void change_act(Call *call)
{
    const Server *server = server_find(call->object->daemon, call->server); /* adopted: none yet */
    Job *job = jobs_unfinished(call->object->daemon, call->server), *rival;
    JobRequest request = wish_of(call);
    const char *instance = NULL;
    g_autoptr(GError) error = NULL;

    if (job && is_same(job, call))
        start_join(job, call);
    else if (job)
        call_fail_with(call, TU_ERROR_BUSY,
                       "Job %" G_GUINT64_FORMAT " works on server %s already. "
                       "Wait for its end, or cancel it",
                       job->id, call->server);
    else if (server && server->under_control)
        call_fail_with(call, TU_ERROR_BUSY,
                       "Server %s is being held or resumed at this moment. Try again",
                       call->server);
    else if ((rival = jobs_rival(call->object->daemon, &request, &instance)))
        call_fail_with(call, TU_ERROR_BUSY,
                       "Job %" G_GUINT64_FORMAT " on server %s works with instance %s at this "
                       "moment. Wait for its end",
                       rival->id, rival->request->server, instance);
    else if ((job = create(call, &request, &error)))
        start_worker(job, call, FALSE);
    else
        call_fail(call, error);
}
