/* A plugin of QEMU's translator (docs/devel/tcg-plugins.rst of QEMU, API version 1) that counts the guest's
 * instructions: `-plugin file=instructions.so,out=FILE`. FILE is two numbers of 64 bits that change as the
 * guest runs: instructions that were executed, instructions that were translated. A processor that waits
 * executes none.
 *
 *     cc -O2 -shared -fPIC -o instructions.so instructions.c
 *
 * What is used of the interface is declared here: Debian's QEMU comes without its header. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { ADD_U64 = 0 }; /* of enum qemu_plugin_op */

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*seen)(uint64_t id, struct qemu_plugin_tb *block));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t number);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int how, void *counter,
                                                uint64_t by);

int qemu_plugin_version = 1;

static struct {
    uint64_t executed, translated;
} * count;

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t insns = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < insns; i++)
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(block, i), ADD_U64,
                                                   &count->executed, 1);
    count->translated += insns;
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
        return -1;
    int file = open(argv[0] + 4, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(*count)) < 0)
        return -1;
    count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (count == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
