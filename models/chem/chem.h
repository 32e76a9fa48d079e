// Molecules from SMILES: text to graph features, text to drawing. The work is RDKit's, in a shared library
// that is opened at the first call (chem_abi.h says why); without it both calls fail with a clear message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"

namespace consort {

inline constexpr std::size_t kMostSmilesBytes = 100'000;
inline constexpr std::uint32_t kMostAtoms = 10'000;
inline constexpr std::uint32_t kMostDrawnAtoms = 300;  // laying out larger ones takes seconds

// Featurised as Hu et al. 2020, "Strategies for Pre-training Graph Neural Networks" (chem/loader.py):
// hydrogens merged, atoms and bonds in RDKit's order.
struct MoleculeGraph {
  struct Atom {
    std::int32_t element = 0;    // atomic number - 1
    std::int32_t chirality = 0;  // 0 none, 1 clockwise, 2 counter-clockwise
  };
  struct Bond {
    std::int32_t begin = 0, end = 0;
    std::int32_t type = 0;       // 0 single, 1 double, 2 triple, 3 aromatic
    std::int32_t direction = 0;  // 0 none, 1 up, 2 down
  };
  std::vector<Atom> atoms;
  std::vector<Bond> bonds;
};

// Thread: any, at the same time. Errors: kInvalid, its text begins with the kind: "invalid-smiles: ...",
// "no-atoms", "unsupported-atom:0", "unsupported-bond:DATIVE", "unsupported-chirality:CHI_SQUAREPLANAR",
// "too-large: ..."; kNotFound when the library is not there; kMemory.
Result<MoleculeGraph> parse_smiles(std::string_view smiles);

// The Bemis-Murcko scaffold (Bemis and Murcko 1996: rings and what links them) as canonical SMILES without
// stereo marks; empty for a molecule without rings. Molecules of one scaffold are near relatives. Errors as
// above.
Result<std::string> scaffold_of(std::string_view smiles);

struct DrawingOptions {
  int width = 360, height = 280;  // pixels, 50 to 2000
  bool dark = false;              // for a dark background; the drawing's own background is transparent
};
// A complete SVG document. Errors as above.
Result<std::string> draw_molecule_svg(std::string_view smiles, const DrawingOptions& options = {});

// "RDKit 2022.09.3", or the reason why SMILES texts cannot be read here.
Result<std::string> chemistry_version();

}  // namespace consort
