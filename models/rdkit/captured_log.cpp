#include "models/rdkit/captured_log.h"

#include <RDGeneral/RDLog.h>

#include <sstream>

namespace consort::chem_library {
namespace {

std::shared_mutex& log_mutex() {
  static std::shared_mutex mutex;
  return mutex;
}

// The logs exist but are off until someone asks; done once, before the first text.
void switch_off_once() {
  static const bool done = [] {
    RDLog::InitLogs();
    boost::logging::disable_logs("rdApp.*");
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

SilentLog::SilentLog() {
  switch_off_once();
  lock_ = std::shared_lock(log_mutex());
}

struct CapturedLog::Target {
  std::ostringstream text;
  RDLogger before;
};

CapturedLog::CapturedLog() : lock_(log_mutex()), target_(std::make_unique<Target>()) {
  target_->before = rdErrorLog;
  rdErrorLog = std::make_shared<boost::logging::rdLogger>(&target_->text);
}

CapturedLog::~CapturedLog() {
  rdErrorLog = target_->before;
}

std::string CapturedLog::first_line() const {
  std::string line = target_->text.str();
  if (const std::size_t end = line.find('\n'); end != std::string::npos) line.resize(end);
  // "[12:34:56] SMILES Parse Error: ..."
  if (line.size() > 11 && line[0] == '[' && line[9] == ']') line.erase(0, 11);
  return line;
}

}  // namespace consort::chem_library
