// libconsort_chem: RDKit behind the C border of models/chem/chem_abi.h. Everything is caught here.
#include <GraphMol/ChemTransforms/ChemTransforms.h>
#include <GraphMol/MolDraw2D/MolDraw2DSVG.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <RDGeneral/RDLog.h>
#include <RDGeneral/versions.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <vector>

#include "models/chem/chem_abi.h"
#include "models/rdkit/captured_log.h"

namespace consort::chem_library {
namespace {

constexpr unsigned kElements = 118;
constexpr std::size_t kExplainedBytes = 1000;  // longer texts are not read a second time for the reason

// What an answer owns.
struct Owned {
  std::vector<std::int32_t> atoms, bonds;
  std::string text, detail;
};

struct Refusal {
  ConsortChemStatus status;
  std::string detail;
};

using Molecule = std::unique_ptr<RDKit::RWMol>;

// Beyond these RDKit would need seconds to minutes. Ranking atoms for stereo is cubic in the longest chain (a
// chain of 1,000 atoms 0.5 s, of 2,000 4 s); finding rings is worse than quadratic in their number.
constexpr unsigned kMostStereoAtoms = 1500;
constexpr unsigned kMostRings = 300;

// What may give an atom or bond a stereo mark: without it the ranking has nothing to decide.
bool may_have_stereo(const std::string& smiles) {
  return smiles.find_first_of("@/\\|") != std::string::npos;
}

unsigned ring_count(const RDKit::RWMol& molecule) {  // independent cycles, by union of bonds' ends
  std::vector<unsigned> parent(molecule.getNumAtoms());
  for (unsigned i = 0; i < parent.size(); ++i) parent[i] = i;
  const auto root = [&](unsigned i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  unsigned rings = 0;
  for (const RDKit::Bond* bond : molecule.bonds()) {
    const unsigned a = root(bond->getBeginAtomIdx()), b = root(bond->getEndAtomIdx());
    if (a == b)
      ++rings;
    else
      parent[a] = b;
  }
  return rings;
}

void check_size(const RDKit::RWMol& molecule, bool stereo, std::uint32_t most_atoms) {
  const unsigned atoms = molecule.getNumAtoms();
  if (atoms > most_atoms)
    throw Refusal{kConsortChemTooLarge,
                  std::to_string(atoms) + " atoms, the limit is " + std::to_string(most_atoms)};
  if (stereo && atoms > kMostStereoAtoms)
    throw Refusal{kConsortChemTooLarge, std::to_string(atoms) + " atoms with stereo marks, the limit is " +
                                            std::to_string(kMostStereoAtoms)};
  if (const unsigned rings = ring_count(molecule); rings > kMostRings)
    throw Refusal{kConsortChemTooLarge,
                  std::to_string(rings) + " rings, the limit is " + std::to_string(kMostRings)};
}

// RDKit's MolFromSmiles in its own steps (parse, remove hydrogens and sanitise, assign stereo), with the
// sizes checked after the first and the last left out where it cannot find anything. Null for a text that
// cannot be parsed, an exception for one that cannot be sanitised.
Molecule read_quietly(const std::string& smiles, std::uint32_t most_atoms) {
  RDKit::SmilesParserParams raw;
  raw.sanitize = false;
  raw.removeHs = false;
  Molecule molecule(RDKit::SmilesToMol(smiles, raw));
  if (!molecule) return molecule;
  const bool stereo = may_have_stereo(smiles);
  check_size(*molecule, stereo, most_atoms);
  RDKit::MolOps::removeHs(*molecule);
  if (stereo) RDKit::MolOps::assignStereochemistry(*molecule, true);
  return molecule;
}

// An exception for a text that cannot be read; RDKit's log says why.
Molecule read(const std::string& smiles, std::uint32_t most_atoms) {
  try {
    const SilentLog silent;
    if (Molecule molecule = read_quietly(smiles, most_atoms)) return molecule;
  } catch (const RDKit::MolSanitizeException& error) {  // valence, kekulisation
    throw Refusal{kConsortChemInvalidSmiles, error.what()};
  } catch (const RDKit::SmilesParseException& error) {
    throw Refusal{kConsortChemInvalidSmiles, error.what()};
  }
  if (smiles.size() > kExplainedBytes) throw Refusal{kConsortChemInvalidSmiles, {}};
  const CapturedLog captured;
  try {
    read_quietly(smiles, most_atoms);
  } catch (const std::exception&) {
  }
  throw Refusal{kConsortChemInvalidSmiles, captured.first_line()};
}

Molecule read_bounded(const std::string& smiles, std::uint32_t most_atoms) {
  Molecule molecule = read(smiles, most_atoms);
  if (molecule->getNumAtoms() == 0) throw Refusal{kConsortChemNoAtoms, {}};
  return molecule;
}

std::int32_t chirality(const RDKit::Atom& atom) {
  switch (atom.getChiralTag()) {
    case RDKit::Atom::CHI_UNSPECIFIED:
      return 0;
    case RDKit::Atom::CHI_TETRAHEDRAL_CW:
      return 1;
    case RDKit::Atom::CHI_TETRAHEDRAL_CCW:
      return 2;
    case RDKit::Atom::CHI_OTHER:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_OTHER"};
    case RDKit::Atom::CHI_TETRAHEDRAL:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_TETRAHEDRAL"};
    case RDKit::Atom::CHI_ALLENE:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_ALLENE"};
    case RDKit::Atom::CHI_SQUAREPLANAR:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_SQUAREPLANAR"};
    case RDKit::Atom::CHI_TRIGONALBIPYRAMIDAL:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_TRIGONALBIPYRAMIDAL"};
    case RDKit::Atom::CHI_OCTAHEDRAL:
      throw Refusal{kConsortChemUnsupportedChirality, "CHI_OCTAHEDRAL"};
  }
  throw Refusal{kConsortChemUnsupportedChirality, std::to_string(static_cast<int>(atom.getChiralTag()))};
}

const char* bond_name(RDKit::Bond::BondType type) {
  switch (type) {
    case RDKit::Bond::UNSPECIFIED:
      return "UNSPECIFIED";
    case RDKit::Bond::QUADRUPLE:
      return "QUADRUPLE";
    case RDKit::Bond::DATIVE:
      return "DATIVE";
    case RDKit::Bond::DATIVEONE:
      return "DATIVEONE";
    case RDKit::Bond::DATIVEL:
      return "DATIVEL";
    case RDKit::Bond::DATIVER:
      return "DATIVER";
    case RDKit::Bond::HYDROGEN:
      return "HYDROGEN";
    case RDKit::Bond::ZERO:
      return "ZERO";
    default:
      return "OTHER";
  }
}

std::int32_t bond_type(const RDKit::Bond& bond) {
  switch (bond.getBondType()) {
    case RDKit::Bond::SINGLE:
      return 0;
    case RDKit::Bond::DOUBLE:
      return 1;
    case RDKit::Bond::TRIPLE:
      return 2;
    case RDKit::Bond::AROMATIC:
      return 3;
    default:
      throw Refusal{kConsortChemUnsupportedBond, bond_name(bond.getBondType())};
  }
}

std::int32_t bond_direction(const RDKit::Bond& bond) {
  switch (bond.getBondDir()) {
    case RDKit::Bond::ENDUPRIGHT:
      return 1;
    case RDKit::Bond::ENDDOWNRIGHT:
      return 2;
    case RDKit::Bond::NONE:
      return 0;
    default:
      throw Refusal{kConsortChemUnsupportedBond,
                    "direction " + std::to_string(static_cast<int>(bond.getBondDir()))};
  }
}

void featurise(const RDKit::RWMol& molecule, Owned& owned) {
  owned.atoms.reserve(2 * molecule.getNumAtoms());
  for (unsigned i = 0; i < molecule.getNumAtoms(); ++i) {
    const RDKit::Atom& atom = *molecule.getAtomWithIdx(i);
    const int number = atom.getAtomicNum();
    if (number < 1 || number > static_cast<int>(kElements))
      throw Refusal{kConsortChemUnsupportedAtom, std::to_string(number)};
    owned.atoms.push_back(number - 1);
    owned.atoms.push_back(chirality(atom));
  }
  owned.bonds.resize(4 * static_cast<std::size_t>(molecule.getNumBonds()));
  for (const RDKit::Bond* bond : molecule.bonds()) {
    std::int32_t* row = owned.bonds.data() + 4 * static_cast<std::size_t>(bond->getIdx());
    row[0] = static_cast<std::int32_t>(bond->getBeginAtomIdx());
    row[1] = static_cast<std::int32_t>(bond->getEndAtomIdx());
    row[2] = bond_type(*bond);
    row[3] = bond_direction(*bond);
  }
}

void fill_detail(ConsortChemAnswer* answer, Owned& owned, std::string detail) {
  constexpr std::size_t kLongest = 300;
  if (detail.size() > kLongest) detail.resize(kLongest);
  for (char& c : detail)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  owned.detail = std::move(detail);
  answer->detail = {owned.detail.data(), owned.detail.size()};
}

// Runs body and turns whatever it throws into the answer's status. `body` fills owned and answer.
template <typename Body>
void answer_with(ConsortChemAnswer* answer, Body&& body) {
  std::memset(answer, 0, sizeof *answer);
  std::unique_ptr<Owned> owned;
  try {
    owned = std::make_unique<Owned>();
    try {
      body(*owned);
    } catch (const Refusal& refusal) {
      answer->status = refusal.status;
      fill_detail(answer, *owned, refusal.detail);
    } catch (const std::bad_alloc&) {
      answer->status = kConsortChemNoMemory;
    } catch (const std::exception& error) {
      answer->status = kConsortChemInternal;
      fill_detail(answer, *owned, error.what());
    } catch (...) {
      answer->status = kConsortChemInternal;
    }
    answer->owner = owned.release();
  } catch (...) {
    answer->status = kConsortChemNoMemory;
  }
}

void parse(const char* smiles, size_t size, uint32_t most_atoms, ConsortChemAnswer* answer) {
  answer_with(answer, [&](Owned& owned) {
    const Molecule molecule = read_bounded(std::string(smiles, size), most_atoms);
    featurise(*molecule, owned);
    answer->graph.atoms = static_cast<uint32_t>(owned.atoms.size() / 2);
    answer->graph.bonds = static_cast<uint32_t>(owned.bonds.size() / 4);
    answer->graph.atom_rows = owned.atoms.data();
    answer->graph.bond_rows = owned.bonds.data();
  });
}

void draw_svg(const char* smiles, size_t size, uint32_t most_atoms, int width, int height, int dark,
              ConsortChemAnswer* answer) {
  answer_with(answer, [&](Owned& owned) {
    const Molecule molecule = read_bounded(std::string(smiles, size), most_atoms);
    const SilentLog silent;
    RDKit::MolDraw2DSVG drawer(width, height);
    drawer.drawOptions().clearBackground = false;
    if (dark != 0) RDKit::assignDarkModePalette(drawer.drawOptions().atomColourPalette);
    drawer.drawMolecule(*molecule);
    drawer.finishDrawing();
    owned.text = drawer.getDrawingText();
    answer->text = {owned.text.data(), owned.text.size()};
  });
}

void scaffold(const char* smiles, size_t size, uint32_t most_atoms, ConsortChemAnswer* answer) {
  answer_with(answer, [&](Owned& owned) {
    const Molecule molecule = read_bounded(std::string(smiles, size), most_atoms);
    const SilentLog silent;
    const std::unique_ptr<RDKit::ROMol> core(RDKit::MurckoDecompose(*molecule));
    constexpr bool kStereo = false;
    owned.text = core ? RDKit::MolToSmiles(*core, kStereo) : std::string();
    answer->text = {owned.text.data(), owned.text.size()};
  });
}

void release(ConsortChemAnswer* answer) {
  delete static_cast<Owned*>(answer->owner);
  std::memset(answer, 0, sizeof *answer);
}

}  // namespace
}  // namespace consort::chem_library

extern "C" __attribute__((visibility("default"))) const ConsortChemLibrary* consort_chem_library(void) {
  using namespace consort::chem_library;
  static const ConsortChemLibrary library = {kConsortChemAbi, RDKit::rdkitVersion, parse, draw_svg, release,
                                             scaffold};
  return &library;
}
