#include "tests/unit/state/scratch.h"
#include "common/names.h"
#include "state/request.h"

#include <string.h>

static char *scratch;

static void remove_tree(const char *path)
{
    const char *argv[] = { "rm", "-rf", "--", path, NULL };
    int status;

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
}

void scratch_end(void)
{
    if (!scratch)
        return;
    remove_tree(scratch);
    g_clear_pointer(&scratch, g_free);
    path_set_root(NULL);
}

void scratch_begin(void)
{
    g_autoptr(GError) error = NULL;

    scratch_end();
    scratch = g_dir_make_tmp("state-XXXXXX", &error);
    g_assert_no_error(error);
    scratch_write("var/lib/timesten-upgrade/servers/.keep", "");
    path_set_root(scratch);
}

char *scratch_path(const char *path)
{
    return g_build_filename(scratch, path, NULL);
}

void scratch_write(const char *path, const char *content)
{
    g_autofree char *whole = scratch_path(path);
    g_autofree char *directory = g_path_get_dirname(whole);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_file_set_contents(whole, content, -1, &error);
    g_assert_no_error(error);
}

guint64 scratch_job(void)
{
    JobRequest request = { .kind = (char *)"upgrade",
                           .server = (char *)"orders",
                           .from = (char *)"tt60",
                           .to = (char *)"tt70",
                           .method = (char *)"offline" };
    g_autoptr(GError) error = NULL;

    request_create(&request, &error);
    g_assert_no_error(error);
    return request.id;
}

void scratch_remove(const char *path)
{
    g_autofree char *whole = scratch_path(path);

    remove_tree(whole);
}
