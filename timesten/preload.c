#include "timesten/preload.h"
#include "common/file.h"
#include "common/text.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LIBRARY    "/libtimesten-port.so"
#define MAPS_LIMIT (16 * 1024 * 1024)

/* From the one that systemd starts to the one that binds: each hands the environment on. */
static const char *const programs[] = { "ttDaemonAdmin", "timestend", "ttcserver" };

/* Whether the dynamic linker starts it; *ret_foreign: it is of other word size than we are.
 * Programs that are no ELF files (scripts) are handed on by their interpreter. */
static gboolean is_static(int fd, gboolean *ret_foreign)
{
    Elf64_Ehdr head;

    *ret_foreign = FALSE;
    if (pread(fd, &head, sizeof head, 0) != sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return FALSE;
    *ret_foreign = head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
    if (head.e_ident[EI_CLASS] != ELFCLASS64)
        return FALSE;
    for (guint i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr part;

        if (pread(fd, &part, sizeof part, (off_t)(head.e_phoff + i * sizeof part)) != sizeof part)
            return FALSE;
        if (part.p_type == PT_INTERP)
            return FALSE;
    }
    return TRUE;
}

static const char *find_fault(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    gboolean foreign = FALSE, fixed;
    struct stat found;
    const char *fault = NULL;

    if (fd < 0) /* nobody can tell: what does not work shows when the server is to come up */
        return NULL;
    fixed = is_static(fd, &foreign);
    if (fstat(fd, &found) == 0 && found.st_mode & (S_ISUID | S_ISGID))
        fault = "runs with the rights of its owner or group (set-user-ID or set-group-ID)";
    else if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
        fault = "has capabilities";
    else if (fixed)
        fault = "is statically linked";
    else if (foreign)
        fault = "is a program of another word size than the library";
    close(fd);
    return fault;
}

char *preload_find_problem(const char *home)
{
    static const char *const places[] = { "bin", "install/bin" };

    for (guint i = 0; i < G_N_ELEMENTS(programs); i++)
        for (guint k = 0; k < G_N_ELEMENTS(places); k++) {
            g_autofree char *path = g_build_filename(home, places[k], programs[i], NULL);
            const char *fault = find_fault(path);

            if (fault)
                return g_strdup_printf("%s %s", path, fault);
        }
    return NULL;
}

gboolean preload_is_missing(const char *pid_file)
{
    g_autofree char *text = file_read(pid_file, 64, NULL, NULL);
    g_autofree char *path = NULL, *maps = NULL;
    guint64 pid;

    if (!text || !text_parse_uint64(g_strstrip(text), 1, G_MAXINT32, &pid))
        return FALSE;
    path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/maps", pid);
    maps = file_read(path, MAPS_LIMIT, NULL, NULL);
    return maps && *maps && !strstr(maps, LIBRARY);
}
