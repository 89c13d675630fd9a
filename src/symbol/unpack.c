/* What a file's compressed sections become when elfutils reads them, which asks nobody: a thousand
 * times as much by zlib, ten thousand times by xz. So it is counted before. Headers say it of
 * debug sections and symbol tables, and hold; what is in .gnu_debugdata only its unpacking tells,
 * and that is an ELF file itself. */
#include <endian.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MINI_MAX (64ull << 20)
#define MINI_MEMORY (128ull << 20) /* xz -9 takes 65 MiB */
/* Compilers' output packs to a third or fifth. */
#define RATIO_FREE (64ull << 20)
#define RATIO 50

/* Takes all or nothing; *out is to be freed. A stream that is broken ends where elfutils ends it.
 */
static int unpack_mini(const Elf_Data *data, uint8_t **out, size_t *size) {
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_ret result = lzma_auto_decoder(&stream, MINI_MEMORY, 0);
    size_t room = 0;
    stream.next_in = data->d_buf;
    stream.avail_in = data->d_size;
    *out = NULL;
    while (result == LZMA_OK && stream.total_out < MINI_MAX) {
        if (stream.total_out == room) {
            uint8_t *grown = realloc(*out, room = room ? room * 2 : 1 << 20);
            if (!grown) {
                result = LZMA_MEM_ERROR;
                break;
            }
            *out = grown;
        }
        stream.next_out = *out + stream.total_out;
        stream.avail_out = room - stream.total_out;
        result = lzma_code(&stream, LZMA_FINISH);
    }
    *size = stream.total_out;
    lzma_end(&stream);
    return result == LZMA_OK || result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR ? -E2BIG
                                                                                          : 0;
}

static bool add(uint64_t *bytes, uint64_t size) {
    if (size > SYMBOL_FILE_MAX - *bytes)
        return false;
    *bytes += size;
    return true;
}

static int count(Elf *elf, bool is_mini, uint64_t *bytes);

static int count_mini(Elf_Scn *section, uint64_t *bytes) {
    Elf_Data *data = elf_rawdata(section, NULL);
    uint8_t *mini = NULL;
    size_t size = 0;
    int status = !data || !data->d_buf     ? 0
                 : data->d_size > MINI_MAX ? -E2BIG
                                           : unpack_mini(data, &mini, &size);
    Elf *elf = status == 0 && size ? elf_memory((char *)mini, size) : NULL;
    if (!add(bytes, size))
        status = -E2BIG;
    if (elf && status == 0)
        status = count(elf, true, bytes);
    elf_end(elf);
    free(mini);
    return status;
}

/* The older kind, by name: ZLIB and the size, the largest byte first. */
static uint64_t size_of_gnu(Elf_Scn *section) {
    Elf_Data *data = elf_rawdata(section, NULL);
    uint64_t size;
    if (!data || !data->d_buf || data->d_size < 12 || memcmp(data->d_buf, "ZLIB", 4) != 0)
        return 0;
    memcpy(&size, (char *)data->d_buf + 4, sizeof size);
    return be64toh(size);
}

/* Without a look at names: where they are compressed, elf_strptr unpacks them. Nobody does that. */
static int count_flagged(Elf *elf, uint64_t *bytes) {
    Elf_Scn *section = NULL;
    size_t names = 0;
    elf_getshdrstrndx(elf, &names);
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        GElf_Chdr packed;
        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_COMPRESSED))
            continue;
        if (elf_ndxscn(section) == names)
            return -E2BIG;
        if (gelf_getchdr(section, &packed) && !add(bytes, packed.ch_size))
            return -E2BIG;
    }
    return 0;
}

static int count(Elf *elf, bool is_mini, uint64_t *bytes) {
    Elf_Scn *section = NULL;
    size_t names;
    unsigned minis = 0;
    int status = count_flagged(elf, bytes);
    if (status || elf_getshdrstrndx(elf, &names))
        return status;
    while (status == 0 && (section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name && strcmp(name, ".gnu_debugdata") == 0 && !is_mini)
            status = minis++ ? -E2BIG : count_mini(section, bytes); /* a second one is never read */
        else if (name && strncmp(name, ".zdebug", 7) == 0 && !add(bytes, size_of_gnu(section)))
            status = -E2BIG;
    }
    return status;
}

int symbol_unpacked(int fd, uint64_t *bytes) {
    size_t size = 0;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const char *file = elf && elf_kind(elf) == ELF_K_ELF && elf_rawfile(elf, &size)
                           ? elf_getident(elf, NULL)
                           : NULL;
    /* Of the other byte order each section would be copied, as often as it is named. */
    int status = file && file[EI_DATA] == ELFDATA2LSB ? 0 : -ENOEXEC;
    *bytes = 0;
    if (status == 0)
        status = count(elf, false, bytes);
    if (status == 0 && *bytes > RATIO_FREE && *bytes / RATIO > size)
        status = -E2BIG;
    elf_end(elf);
    return status;
}
