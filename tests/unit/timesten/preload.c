#include "timesten/preload.h"

#include <elf.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_program(const char *home, const char *name, const void *bytes, gsize size)
{
    g_autofree char *path = g_build_filename(home, "bin", name, NULL);

    g_assert_true(g_file_set_contents(path, bytes, size, NULL));
}

static void must_find(const char *home, const char *words)
{
    g_autofree char *problem = preload_find_problem(home);

    g_assert_nonnull(problem);
    g_assert_nonnull(strstr(problem, words));
}

static void programs_that_ignore_preloading_are_named(void)
{
    g_autofree char *home = g_dir_make_tmp("preload-XXXXXX", NULL);
    g_autofree char *bin = g_build_filename(home, "bin", NULL);
    g_autofree char *server = g_build_filename(bin, "ttcserver", NULL);
    g_autofree char *own = NULL;
    Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 }, .e_phoff = sizeof head };
    gsize length;

    g_assert_cmpint(g_mkdir(bin, 0755), ==, 0);
    g_assert_null(preload_find_problem(home)); /* nothing there: nobody can tell */
    g_assert_true(g_file_get_contents("/proc/self/exe", &own, &length, NULL));
    write_program(home, "ttcserver", own, length);
    write_program(home, "timestend", "#!/bin/sh\n", 10);
    g_assert_null(preload_find_problem(home));

    g_assert_cmpint(chmod(server, 04755), ==, 0);
    must_find(home, "bin/ttcserver runs with the rights");
    g_assert_cmpint(chmod(server, 0755), ==, 0);

    write_program(home, "ttcserver", &head, sizeof head);
    must_find(home, sizeof(void *) == 8 ? "statically" : "word size");

    head.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
    write_program(home, "ttcserver", &head, sizeof head);
    must_find(home, sizeof(void *) == 8 ? "word size" : "statically");

    g_unlink(server);
    g_free(server);
    server = g_build_filename(bin, "timestend", NULL);
    g_unlink(server);
    g_rmdir(bin);
    g_rmdir(home);
}

static void daemon_without_the_library_is_seen(void)
{
    g_autofree char *directory = g_dir_make_tmp("preload-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(directory, "pid", NULL);
    g_autofree char *own = g_strdup_printf("%d\n", (int)getpid());

    g_assert_false(preload_is_missing(file));
    g_assert_true(g_file_set_contents(file, "2147483647\n", -1, NULL));
    g_assert_false(preload_is_missing(file));
    g_assert_true(g_file_set_contents(file, own, -1, NULL));
    g_assert_true(preload_is_missing(file));
    g_unlink(file);
    g_rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/preload/programs-that-ignore-preloading-are-named",
                    programs_that_ignore_preloading_are_named);
    g_test_add_func("/preload/daemon-without-the-library-is-seen",
                    daemon_without_the_library_is_seen);
    return g_test_run();
}
