/* Runs a program and kills it at the n-th system call that changes a directory's files.
 *
 *   killat DIR MODE N REPORT PROGRAM [ARGUMENT...]
 *
 * Counted: write, pwrite64, ftruncate, fsync, fdatasync, link*, rename*, unlink*, mkdir*, and
 * open* that creates, on paths beneath DIR. MODE `before`: SIGKILL before the n-th is executed.
 * MODE `torn`: the n-th, if it is a write, is cut to half its bytes and executed first. N 0 kills
 * never. REPORT gets one line a counted call: its number, its name, its path. The exit code is the
 * program's, or 137 if it was killed here, or 125 if killat itself failed.
 *
 * It works on any binary, whatever library it writes through, so the program needs no hook.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/user.h>
#endif

/* As the kernel has it since 5.3; C libraries differ in what they call it. */
#define GET_SYSCALL_INFO 0x420e
enum { OP_ENTRY = 1, OP_EXIT = 2 };
struct call {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer;
    struct { uint64_t nr, args[6], seccomp; } entry;
};

static const char *beneath;
static FILE *report;

static void die(const char *what) {
    perror(what);
    exit(125);
}

/* Reads a string of the traced process. */
static void read_text(pid_t pid, unsigned long at, char *to, size_t size) {
    size_t done = 0;
    while (done + 1 < size) {
        struct iovec here = { to + done, 1 }, there = { (void *)(at + done), 1 };
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) != 1 || to[done] == 0) break;
        done++;
    }
    to[done] = 0;
}

/* The path of a descriptor of the traced process; -100 is its working directory. */
static void path_of(pid_t pid, int fd, char *to, size_t size) {
    char link[64];
    if (fd == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    else snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
    ssize_t n = readlink(link, to, size - 1);
    to[n > 0 ? n : 0] = 0;
}

static void path_at(pid_t pid, int fd, unsigned long text, char *to, size_t size) {
    char name[PATH_MAX];
    read_text(pid, text, name, sizeof name);
    if (name[0] == '/') {
        snprintf(to, size, "%s", name);
        return;
    }
    path_of(pid, fd, to, size);
    size_t n = strlen(to);
    snprintf(to + n, size - n, "/%s", name);
}

/* The name of a call that counts, its path in `path`; else 0. */
static const char *counted(pid_t pid, const struct call *info, char *path, size_t size, int *is_write) {
    const uint64_t *a = info->entry.args;
    const char *name = NULL;
    int fd = -1, at = 0, text = 0; /* which arguments hold what */
    *is_write = 0;
    switch (info->entry.nr) {
    case SYS_write: case SYS_pwrite64: name = "write"; fd = (int)a[0]; *is_write = 1; break;
    case SYS_ftruncate: name = "ftruncate"; fd = (int)a[0]; break;
    case SYS_fsync: name = "fsync"; fd = (int)a[0]; break;
    case SYS_fdatasync: name = "fdatasync"; fd = (int)a[0]; break;
    case SYS_linkat: name = "link"; at = (int)a[2]; text = 3; break;
    case SYS_renameat2: name = "rename"; at = (int)a[2]; text = 3; break;
#ifdef SYS_renameat
    case SYS_renameat: name = "rename"; at = (int)a[2]; text = 3; break;
#endif
#ifdef SYS_rename
    case SYS_rename: name = "rename"; at = AT_FDCWD; text = 1; break;
    case SYS_link: name = "link"; at = AT_FDCWD; text = 1; break;
    case SYS_unlink: name = "unlink"; at = AT_FDCWD; text = 0; break;
    case SYS_mkdir: name = "mkdir"; at = AT_FDCWD; text = 0; break;
    case SYS_open: if (!(a[1] & O_CREAT)) return NULL; name = "create"; at = AT_FDCWD; text = 0; break;
#endif
    case SYS_unlinkat: name = "unlink"; at = (int)a[0]; text = 1; break;
    case SYS_mkdirat: name = "mkdir"; at = (int)a[0]; text = 1; break;
    case SYS_openat: if (!(a[2] & O_CREAT)) return NULL; name = "create"; at = (int)a[0]; text = 1; break;
    default: return NULL;
    }
    if (fd >= 0) path_of(pid, fd, path, size);
    else path_at(pid, at, a[text], path, size);
    size_t n = strlen(beneath);
    if (strncmp(path, beneath, n) != 0 || (path[n] != 0 && path[n] != '/')) return NULL;
    return name;
}

/* Cuts the write that is about to happen to half its bytes. */
static void tear(pid_t pid) {
#if defined(__x86_64__)
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs) != 0) die("killat: registers");
    regs.rdx /= 2;
    if (ptrace(PTRACE_SETREGS, pid, 0, &regs) != 0) die("killat: registers");
#elif defined(__aarch64__)
    unsigned long long regs[34];
    struct iovec all = { regs, sizeof regs };
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all) != 0) die("killat: registers");
    regs[2] /= 2;
    if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all) != 0) die("killat: registers");
#else
#error "killat knows x86_64 and aarch64"
#endif
}

/* The program, and the process of it that made the call. */
static void kill_both(pid_t child, pid_t pid) {
    kill(child, SIGKILL);
    kill(pid, SIGKILL);
}

int main(int argc, char **argv) {
    static char real[PATH_MAX];
    if (argc < 6 || realpath(argv[1], real) == NULL) {
        fprintf(stderr, "usage: killat DIR before|torn N REPORT PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    beneath = real;
    int torn = strcmp(argv[2], "torn") == 0;
    long n = strtol(argv[3], NULL, 10), seen = 0;
    if ((report = fopen(argv[4], "we")) == NULL) die(argv[4]);
    pid_t child = fork();
    if (child < 0) die("killat: fork");
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[5], argv + 5);
        perror(argv[5]);
        _exit(125);
    }
    int status, killing = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) die("killat: the program did not start");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) != 0) die("killat: ptrace");
    ptrace(PTRACE_SYSCALL, child, 0, 0);
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0) die("killat: wait");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid != child) continue;
            fclose(report);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
            struct call info;
            char path[2 * PATH_MAX];
            int is_write;
            if (ptrace(GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) die("killat: system call info");
            if (info.op == OP_EXIT && killing) kill_both(child, pid);
            const char *name = NULL;
            if (info.op == OP_ENTRY) name = counted(pid, &info, path, sizeof path, &is_write);
            if (name != NULL && !killing) {
                seen++;
                fprintf(report, "%ld %s %s\n", seen, name, path + strlen(beneath));
                if (seen == n && torn && is_write) {
                    tear(pid);
                    killing = 1;
                } else if (seen == n) {
                    kill_both(child, pid);
                    killing = 1;
                }
            }
            signal = 0;
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            signal = 0; /* a new thread or process, or its first stop */
        }
        ptrace(PTRACE_SYSCALL, pid, 0, signal);
    }
}
