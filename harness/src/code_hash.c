/* code_hash OUTPUT (NAME OBJECT)...: the hash of each kernel's machine code, as C definitions.
 *
 * A tool of the build. The hash is over what the machine executes and the constants that it reads,
 * and over nothing else in the object file: no symbol, debug line or path, no date. So it is the
 * same for the same code wherever and whenever it is built, and differs where the code does. Of a
 * CUDA object it is the cubins that count, which nvcc has to leave uncompressed (-no-compress); of
 * any other its text. Constants are in it too: the coefficients of a polynomial are code. */
#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EM_CUDA_MACHINE 190

typedef struct image {
  const unsigned char *bytes;
  size_t size;
} image;

/* FNV-1a: it tells code apart, and guards against nobody. */
static uint64_t mix(uint64_t hash, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  }
  return hash;
}

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Strings are left out: an assertion's is the path of its file. */
static bool is_code(const Elf64_Shdr *section, const char *name) {
  const bool constant = starts_with(name, ".rodata") || starts_with(name, ".nv.constant");
  return section->sh_type == SHT_PROGBITS && section->sh_size > 0 &&
         ((section->sh_flags & SHF_EXECINSTR) != 0 ||
          (constant && (section->sh_flags & SHF_STRINGS) == 0));
}

static bool read_header(image file, Elf64_Ehdr *out) {
  if (file.size < sizeof *out) {
    return false;
  }
  memcpy(out, file.bytes, sizeof *out);
  return memcmp(out->e_ident, ELFMAG, SELFMAG) == 0 && out->e_ident[EI_CLASS] == ELFCLASS64 &&
         out->e_shentsize == sizeof(Elf64_Shdr) && out->e_shstrndx < out->e_shnum &&
         out->e_shoff <= file.size &&
         (file.size - out->e_shoff) / sizeof(Elf64_Shdr) >= out->e_shnum;
}

static Elf64_Shdr section_at(image file, const Elf64_Ehdr *header, size_t index) {
  Elf64_Shdr section;
  memcpy(&section, file.bytes + header->e_shoff + index * sizeof section, sizeof section);
  return section;
}

/* The section's contents, or nothing where the file has none for it. */
static image contents(image file, const Elf64_Shdr *section) {
  if (section->sh_offset > file.size || section->sh_size > file.size - section->sh_offset) {
    return (image){0};
  }
  return (image){file.bytes + section->sh_offset, section->sh_size};
}

static const char *section_name(image file, const Elf64_Ehdr *header, const Elf64_Shdr *section) {
  const Elf64_Shdr names = section_at(file, header, header->e_shstrndx);
  const image text = contents(file, &names);
  const bool whole = section->sh_name < text.size &&
                     memchr(text.bytes + section->sh_name, '\0', text.size - section->sh_name);
  return whole ? (const char *)text.bytes + section->sh_name : "";
}

/* Mixes in all code of an ELF file; false if it has none. */
static bool mix_code(image file, const Elf64_Ehdr *header, uint64_t *hash) {
  bool found = false;
  for (size_t i = 0; i < header->e_shnum; i++) {
    const Elf64_Shdr section = section_at(file, header, i);
    if (is_code(&section, section_name(file, header, &section))) {
      const image code = contents(file, &section);
      *hash = mix(*hash, code.bytes, code.size);
      found = found || code.size > 0;
    }
  }
  return found;
}

/* The cubins within a fat binary, one behind the other. */
static bool mix_cubins(image fat, uint64_t *hash) {
  bool found = false;
  for (size_t at = 0; at + sizeof(Elf64_Ehdr) <= fat.size; at += 8) {
    const image rest = {fat.bytes + at, fat.size - at};
    Elf64_Ehdr header;
    if (read_header(rest, &header) && header.e_machine == EM_CUDA_MACHINE) {
      found = mix_code(rest, &header, hash) || found;
    }
  }
  return found;
}

static bool hash_object(image file, uint64_t *hash) {
  Elf64_Ehdr header;
  *hash = UINT64_C(0xcbf29ce484222325);
  if (!read_header(file, &header)) {
    return false;
  }
  for (size_t i = 0; i < header.e_shnum; i++) {
    const Elf64_Shdr section = section_at(file, &header, i);
    if (strcmp(section_name(file, &header, &section), ".nv_fatbin") == 0) {
      return mix_cubins(contents(file, &section), hash);
    }
  }
  return mix_code(file, &header, hash);
}

static bool read_file(const char *path, image *out) {
  FILE *file = fopen(path, "rb");
  unsigned char *bytes = NULL;
  size_t size = 0;
  size_t got = 1;
  while (file != NULL && got > 0) {
    unsigned char *grown = realloc(bytes, size + 65536);
    if (grown == NULL) {
      break;
    }
    bytes = grown;
    got = fread(bytes + size, 1, 65536, file);
    size += got;
  }
  *out = (image){bytes, size};
  return file != NULL && got == 0 && fclose(file) == 0;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc % 2 != 0) {
    fprintf(stderr, "usage: code_hash OUTPUT (NAME OBJECT)...\n");
    return 2;
  }
  FILE *to = fopen(argv[1], "w");
  if (to == NULL) {
    perror(argv[1]);
    return 4;
  }
  for (int i = 2; i < argc; i += 2) {
    image file;
    uint64_t hash;
    if (!read_file(argv[i + 1], &file) || !hash_object(file, &hash)) {
      fprintf(stderr, "code_hash: %s: no machine code is found in it\n", argv[i + 1]);
      return 1;
    }
    fprintf(to, "#define CODE_HASH_%s \"%016" PRIx64 "\"\n", argv[i], hash);
    free((void *)file.bytes);
  }
  return fclose(to) == 0 ? 0 : 4;
}
