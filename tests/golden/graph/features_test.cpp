// SMILES to features: exact, and what must be refused is refused by its kind.
#include <gtest/gtest.h>

#include "models/chem/chem.h"
#include "tests/golden/graph/graph_rig.h"

namespace consort::golden {
namespace {

void expect_features(const nlohmann::json& record, const MoleculeGraph& molecule) {
  const std::string id = record["id"];
  ASSERT_EQ(molecule.atoms.size(), record["x"].size()) << id;
  for (std::size_t a = 0; a < molecule.atoms.size(); ++a) {
    EXPECT_EQ(molecule.atoms[a].element, record["x"][a][0].get<int>()) << id << " atom " << a;
    EXPECT_EQ(molecule.atoms[a].chirality, record["x"][a][1].get<int>()) << id << " atom " << a;
  }
  ASSERT_EQ(2 * molecule.bonds.size(), record["edge_attr"].size()) << id;
  for (std::size_t b = 0; b < molecule.bonds.size(); ++b) {
    const auto& bond = molecule.bonds[b];
    EXPECT_EQ(bond.begin, record["edge_index"][0][2 * b].get<int>()) << id << " bond " << b;
    EXPECT_EQ(bond.end, record["edge_index"][1][2 * b].get<int>()) << id << " bond " << b;
    EXPECT_EQ(bond.end, record["edge_index"][0][2 * b + 1].get<int>()) << id << " bond " << b;
    EXPECT_EQ(bond.type, record["edge_attr"][2 * b][0].get<int>()) << id << " bond " << b;
    EXPECT_EQ(bond.direction, record["edge_attr"][2 * b][1].get<int>()) << id << " bond " << b;
  }
}

TEST(Smiles, FeaturesEqualTheReference) {
  for (const auto& record : read_lines("molecules.jsonl")) {
    const auto molecule = parse_smiles(record["smiles"].get<std::string>());
    ASSERT_TRUE(molecule) << record["id"] << ": " << molecule.error().line();
    expect_features(record, *molecule);
  }
}

TEST(Smiles, EdgeCasesAreGraphsOrErrorsOfTheirKind) {
  int graphs = 0, errors = 0;
  for (const auto& record : read_lines("edge-cases.jsonl")) {
    const auto molecule = parse_smiles(record["smiles"].get<std::string>());
    if (record["expect"] == "error") {
      ++errors;
      ASSERT_FALSE(molecule) << record["id"];
      EXPECT_EQ(molecule.error().kind, ErrorKind::kInvalid);
      EXPECT_EQ(molecule.error().what.find(record["error"].get<std::string>()), 0u)
          << record["id"] << ": " << molecule.error().what;
    } else {
      ++graphs;
      ASSERT_TRUE(molecule) << record["id"] << ": " << molecule.error().line();
      expect_features(record, *molecule);
    }
  }
  EXPECT_EQ(graphs, 30);
  EXPECT_EQ(errors, 17);
}

TEST(Smiles, ScaffoldsEqualTheReference) {
  std::size_t rings = 0;
  for (const auto& record : read_lines("scaffolds.jsonl")) {
    const auto scaffold = scaffold_of(record["smiles"].get<std::string>());
    ASSERT_TRUE(scaffold) << record["id"] << ": " << scaffold.error().line();
    EXPECT_EQ(*scaffold, record["scaffold"].get<std::string>()) << record["id"];
    rings += !scaffold->empty();
  }
  EXPECT_GT(rings, 20u);
  EXPECT_FALSE(scaffold_of("C1CC"));
  EXPECT_FALSE(scaffold_of(""));
}

}  // namespace
}  // namespace consort::golden
