/* Kills the process right before its N-th change of the file system below a folder, or fills the disk then.

   Loaded with LD_PRELOAD. `crash_arm(root, at, full, log)` starts counting: every call that opens a file for writing, writes,
   truncates, renames, links, removes or makes a folder below `root` is one change. Before change number `at` (from 1) the
   process is killed with SIGKILL; if `full`, this change and those after it fail instead with ENOSPC, where they need room.
   0 only counts. Each change is appended to the file descriptor `log` (-1: none).
   What the kernel does not see through libc's public names (stdio's own buffers) counts at fwrite and fopen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static long crash_at;
static int is_full, log_fd = -1;
static atomic_long count;
static pid_t armed;

void crash_arm(const char *folder, long at, int full, int log) {
    if (!realpath(folder, root)) root[0] = 0;
    crash_at = at;
    is_full = full;
    log_fd = log;
    atomic_store(&count, 0);
    armed = getpid();
}

long crash_count(void) { return atomic_load(&count); }

static int below(int dirfd, const char *path) {
    char whole[PATH_MAX * 2];
    if (!root[0] || armed != getpid() || !path) return 0;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char base[PATH_MAX], link[64];
        if (dirfd == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n < 0) return 0;
            base[n] = 0;
        }
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    size_t n = strlen(root);
    return !strncmp(whole, root, n) && (whole[n] == '/' || !whole[n]);
}

/* Gives the path of a file that is open for writing below the root. */
static int fd_below(int fd, char *path) {
    char link[64];
    struct stat state;
    if (!root[0] || armed != getpid() || fd == log_fd) return 0;
    if (fstat(fd, &state) || !S_ISREG(state.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return below(AT_FDCWD, path);
}

/* Returns whether there is no room for the change. */
static int change(const char *what, const char *path) {
    long number = atomic_fetch_add(&count, 1) + 1;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int n = snprintf(line, sizeof line, "%ld %s %s\n", number, what, path ? path : "");
        syscall(SYS_write, log_fd, line, n > (int)sizeof line ? sizeof line : (size_t)n);
    }
    if (!crash_at || number < crash_at) return 0;
    if (is_full) {
        errno = ENOSPC;
        return 1;
    }
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define CHANGE_OF(fd, what, failure) do { \
    char path[PATH_MAX]; \
    if (fd_below(fd, path) && change(what, path)) return failure; \
} while (0)
#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); } \
        REAL(name); \
        if (WRITES(flags) && below(AT_FDCWD, path) && change("open", path) && (flags & O_CREAT)) return -1; \
        return real(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int dir, const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); } \
        REAL(name); \
        if (WRITES(flags) && below(dir, path) && change("open", path) && (flags & O_CREAT)) return -1; \
        return real(dir, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(name); \
        if (strpbrk(mode, "wa+") && below(AT_FDCWD, path) && change("fopen", path)) return NULL; \
        return real(path, mode); \
    }
FOPEN(fopen)
FOPEN(fopen64)

size_t fwrite(const void *data, size_t size, size_t n, FILE *file) {
    REAL(fwrite);
    CHANGE_OF(fileno(file), "fwrite", 0);
    return real(data, size, n, file);
}
ssize_t write(int fd, const void *data, size_t n) {
    REAL(write);
    CHANGE_OF(fd, "write", -1);
    return real(fd, data, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    REAL(pwrite);
    CHANGE_OF(fd, "pwrite", -1);
    return real(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    REAL(pwrite64);
    CHANGE_OF(fd, "pwrite", -1);
    return real(fd, data, n, at);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(writev);
    CHANGE_OF(fd, "writev", -1);
    return real(fd, parts, n);
}
int ftruncate(int fd, off_t n) {
    REAL(ftruncate);
    CHANGE_OF(fd, "ftruncate", -1);
    return real(fd, n);
}
int ftruncate64(int fd, off64_t n) {
    REAL(ftruncate64);
    CHANGE_OF(fd, "ftruncate", -1);
    return real(fd, n);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    if (below(AT_FDCWD, from) || below(AT_FDCWD, to)) change("rename", to);
    return real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat);
    if (below(a, from) || below(b, to)) change("rename", to);
    return real(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    REAL(renameat2);
    if (below(a, from) || below(b, to)) change("rename", to);
    return real(a, from, b, to, flags);
}
int link(const char *from, const char *to) {
    REAL(link);
    if (below(AT_FDCWD, to) && change("link", to)) return -1;
    return real(from, to);
}
int symlink(const char *from, const char *to) {
    REAL(symlink);
    if (below(AT_FDCWD, to) && change("symlink", to)) return -1;
    return real(from, to);
}
int unlink(const char *path) {
    REAL(unlink);
    if (below(AT_FDCWD, path)) change("unlink", path);
    return real(path);
}
int unlinkat(int dir, const char *path, int flags) {
    REAL(unlinkat);
    if (below(dir, path)) change("unlink", path);
    return real(dir, path, flags);
}
int rmdir(const char *path) {
    REAL(rmdir);
    if (below(AT_FDCWD, path)) change("rmdir", path);
    return real(path);
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (below(AT_FDCWD, path) && change("mkdir", path)) return -1;
    return real(path, mode);
}
int mkdirat(int dir, const char *path, mode_t mode) {
    REAL(mkdirat);
    if (below(dir, path) && change("mkdir", path)) return -1;
    return real(dir, path, mode);
}
