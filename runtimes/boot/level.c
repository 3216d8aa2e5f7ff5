/* level.c - the instructions that a frozen program counts on: libraries chose their code by what the CPU had
 * when the image was made. A machine with less is told to the user, not by an illegal instruction. (Intel SDM
 * volume 2, CPUID.)
 */
#include "cpu.h"
#include "kernel.h"

struct cpu_level cpu_level;

static const struct {
    const char *name;
    uint8_t word, bit;
} instructions[] = {{"sse3", 0, 0},      {"pclmulqdq", 0, 1}, {"ssse3", 0, 9},      {"fma", 0, 12},
                    {"cx16", 0, 13},     {"sse4.1", 0, 19},   {"sse4.2", 0, 20},    {"movbe", 0, 22},
                    {"popcnt", 0, 23},   {"aes", 0, 25},      {"avx", 0, 28},       {"f16c", 0, 29},
                    {"fsgsbase", 1, 0},  {"bmi1", 1, 3},      {"avx2", 1, 5},       {"bmi2", 1, 8},
                    {"erms", 1, 9},      {"avx512f", 1, 16},  {"avx512dq", 1, 17},  {"adx", 1, 19},
                    {"avx512cd", 1, 28}, {"sha_ni", 1, 29},   {"avx512bw", 1, 30},  {"avx512vl", 1, 31},
                    {"lahf_lm", 2, 0},   {"abm", 2, 5},       {"avx512vbmi", 3, 1}, {"vpclmulqdq", 3, 10}};

static void look(uint32_t words[4])
{
    struct cpuid seven = cpuid(0, 0).a >= 7 ? cpuid(7, 0) : (struct cpuid){0};

    words[0] = cpuid(1, 0).c;
    words[1] = seven.b;
    words[2] = cpuid(0x80000001, 0).c;
    words[3] = seven.c;
}

void cpu_level_keep(void)
{
    look(cpu_level.words);
    cpu_level.xcr0 = cpu.xcr0;
    cpu_level.xsave_size = cpu.xsave_size;
    cpu_level.kept = true;
}

void cpu_level_check(void)
{
    uint32_t words[4];
    char missing[256] = "";
    size_t used = 0;

    look(words);
    for (size_t i = 0; i < array_size(instructions) && used < sizeof(missing) - 16; i++) {
        uint32_t bit = 1U << instructions[i].bit, word = instructions[i].word;
        if (cpu_level.words[word] & bit & ~words[word])
            used += (size_t)snprintf(missing + used, sizeof(missing) - used, " %s", instructions[i].name);
    }
    if (!used && (cpu.xcr0 != cpu_level.xcr0 || cpu.xsave_size != cpu_level.xsave_size))
        snprintf(missing, sizeof(missing), " xsave (as when it was frozen)");
    if (missing[0])
        boot_error(
            "cpu",
            "This image was frozen for a CPU that has more than this one, which lacks:%s. Use a newer CPU "
            "or QEMU CPU model, or build the image with a lower --cpu-level.",
            missing);
}
