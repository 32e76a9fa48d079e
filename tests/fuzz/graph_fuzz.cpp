// SMILES texts and JSON graphs damaged at random with fixed seeds: a graph or a clear error, never a crash.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/chem/chem.h"
#include "models/graph/graph_document.h"
#include "models/graph/message_graph.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

const char* const kSmiles[] = {"CC(=O)Oc1ccccc1C(=O)O",   "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
                               "C[C@H](N)C(=O)O",         "C/C=C\\C",
                               "[Na+].[O-]C(=O)c1ccccc1", "c1ccc2c(c1)[nH]c1ccccc12",
                               "[13CH3][C@@](F)(Cl)Br",   "C1CC2(C1)CC%10CC2C%10",
                               "N[C@@H](CS)C(=O)O |r|",   "[NH3][Pt]([NH3])(Cl)Cl",
                               "C(C(C(C(C))))O name",     "[2H]OC#N"};

// What stands in SMILES texts, so that mutants get past the first character.
constexpr char kAlphabet[] = "CNOcnoFSPsp()[]=#$:/\\@%0123456789+-.HBrl*>~|";

std::string grammar_mutant(testing::Mutator& mutator, std::string text) {
  for (std::size_t n = 1 + mutator.below(5); n > 0; --n) {
    const std::size_t at = mutator.below(text.size() + 1);
    const char c = kAlphabet[mutator.below(sizeof kAlphabet - 1)];
    if (mutator.below(3) == 0 && at < text.size())
      text.erase(at, 1 + mutator.below(4));
    else if (mutator.below(3) == 0)
      text.insert(at, text.substr(mutator.below(text.size() + 1), mutator.below(12)));
    else
      text.insert(at, 1, c);
  }
  return text;
}

void expect_sound(const MoleculeGraph& molecule) {
  ASSERT_FALSE(molecule.atoms.empty());
  const auto atoms = static_cast<std::int32_t>(molecule.atoms.size());
  for (const auto& atom : molecule.atoms)
    ASSERT_TRUE(atom.element >= 0 && atom.element < 118 && atom.chirality >= 0 && atom.chirality < 3);
  for (const auto& bond : molecule.bonds)
    ASSERT_TRUE(bond.begin >= 0 && bond.begin < atoms && bond.end >= 0 && bond.end < atoms &&
                bond.type >= 0 && bond.type < 4 && bond.direction >= 0 && bond.direction < 3);
}

TEST(GraphFuzz, DamagedSmilesEndInAGraphOrAnError) {
  testing::Mutator mutator(71);
  int graphs = 0, errors = 0;
  for (int i = 0; i < 9000; ++i) {
    const std::string whole = kSmiles[static_cast<std::size_t>(i) % std::size(kSmiles)];
    const std::string text =
        i % 3 == 0 ? mutator.mutate(whole, whole.size()) : grammar_mutant(mutator, whole);
    const auto molecule = parse_smiles(text);
    if (molecule) {
      ++graphs;
      expect_sound(*molecule);
    } else {
      ++errors;
      ASSERT_EQ(molecule.error().kind, ErrorKind::kInvalid) << molecule.error().line();
    }
    if (i % 10 == 0) draw_molecule_svg(text);
  }
  EXPECT_GT(graphs, 300);  // the mutants reach the chemistry
  EXPECT_GT(errors, 300);
}

TEST(GraphFuzz, HugeSmilesAreBounded) {
  const auto repeat = [](const std::string& unit, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += unit;
    return text;
  };
  EXPECT_TRUE(parse_smiles(repeat("C", 5000)));
  EXPECT_TRUE(parse_smiles(repeat("C(", 5000) + "C" + repeat(")", 5000)));
  for (const std::string& text :
       {repeat("C", 20'000), repeat("C", 200'000), repeat("C(", 50'000), repeat("[C@H](F)", 4000),
        repeat("C1CC2CC1C2", 400), repeat("c1ccccc1", 2000), std::string("CC\0C", 4)}) {
    const auto molecule = parse_smiles(text);
    ASSERT_FALSE(molecule) << text.substr(0, 20);
    EXPECT_EQ(molecule.error().kind, ErrorKind::kInvalid);
  }
  EXPECT_FALSE(draw_molecule_svg(repeat("C", 1000)));
}

TEST(GraphFuzz, DamagedGraphsEndInAGraphOrAnError) {
  const std::string graphs[] = {
      R"({"nodes":[[1,2],[3,4.5],[0,-1]],"edges":[[0,1],[1,0],[2,2]],"edge_features":[[7],[8],[9]]})",
      R"({"x":[[5,0],[7,1]],"edge_index":[[0,1],[1,0]],"edge_attr":[[0,0],[0,0]],"num_nodes":2})",
      R"({"id":"a","nodes":[1,2,3],"edges":[[0,2]],"undirected":true,"labels":["x",null]})"};
  testing::Mutator mutator(72);
  int taken = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string& whole = graphs[static_cast<std::size_t>(i) % std::size(graphs)];
    const auto document = read_graph_json(mutator.mutate(whole, whole.size()));
    if (!document) {
      ASSERT_EQ(document.error().kind, ErrorKind::kInvalid);
      continue;
    }
    ++taken;
    const auto graph = make_message_graph(static_cast<int>(document->size()), document->to, document->from,
                                          SelfLoops::kReplace);
    ASSERT_EQ(static_cast<std::size_t>(graph.offsets.back()), graph.senders.size());
    ASSERT_EQ(gcn_coefficients(graph).size(), graph.senders.size());
  }
  EXPECT_GT(taken, 50);
}

}  // namespace
}  // namespace consort
