/* The border between the program and libconsort_chem, the library that holds RDKit. RDKit is built against
 * another Boost than the program, so the library is opened at run time and nothing but C crosses here: no
 * exception, no type of the standard library or of Boost. Both sides compare kConsortChemAbi first. */
#pragma once

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
extern "C" {
#else
#include <stddef.h>
#include <stdint.h>
#endif

enum { kConsortChemAbi = 2 };

/* What became of a SMILES text. */
enum ConsortChemStatus {
  kConsortChemOk = 0,
  kConsortChemInvalidSmiles = 1,
  kConsortChemNoAtoms = 2,
  kConsortChemUnsupportedAtom = 3,      /* atomic number 0 or above 118; detail is the number */
  kConsortChemUnsupportedBond = 4,      /* detail is RDKit's name of the bond type */
  kConsortChemUnsupportedChirality = 5, /* detail is RDKit's name of the tag */
  kConsortChemTooLarge = 6,
  kConsortChemNoMemory = 7,
  kConsortChemInternal = 8 /* detail is what RDKit said */
};

/* Atoms in RDKit's order, one row of two each: atomic number - 1, chirality (0 none, 1 CW, 2 CCW). Bonds in
 * RDKit's order, one row of four each: begin, end, type (0 single, 1 double, 2 triple, 3 aromatic), direction
 * (0 none, 1 up, 2 down). Owned by the library until consort_chem_release. */
struct ConsortChemGraph {
  uint32_t atoms;
  uint32_t bonds;
  const int32_t* atom_rows;
  const int32_t* bond_rows;
};

/* A text that the library made; not terminated by a zero. */
struct ConsortChemText {
  const char* data;
  size_t size;
};

/* The answer to one call: exactly one of graph and text is filled when status is kConsortChemOk. `detail` is
 * valid UTF-8 or ASCII, possibly empty. */
struct ConsortChemAnswer {
  int status;
  struct ConsortChemGraph graph;
  struct ConsortChemText text;
  struct ConsortChemText detail;
  void* owner;
};

/* The functions of the library. All may be called from any thread at the same time. */
struct ConsortChemLibrary {
  uint32_t abi;
  const char* version; /* of RDKit */
  /* SMILES to graph: RDKit's MolFromSmiles with its defaults. Refuses more than `most_atoms` atoms. */
  void (*parse)(const char* smiles, size_t size, uint32_t most_atoms, struct ConsortChemAnswer* answer);
  /* The molecule's drawing as an SVG document, at most `most_atoms` atoms. `dark`: for a dark background. */
  void (*draw_svg)(const char* smiles, size_t size, uint32_t most_atoms, int width, int height, int dark,
                   struct ConsortChemAnswer* answer);
  void (*release)(struct ConsortChemAnswer* answer);
  /* The molecule's Bemis-Murcko scaffold (rings and what links them) as canonical SMILES without stereo
   * marks, in text; empty when the molecule has no ring. */
  void (*scaffold)(const char* smiles, size_t size, uint32_t most_atoms, struct ConsortChemAnswer* answer);
};

/* The one symbol that is looked up: "consort_chem_library". Never null. */
typedef const struct ConsortChemLibrary* (*ConsortChemEntry)(void);

#ifdef __cplusplus
}
#endif
