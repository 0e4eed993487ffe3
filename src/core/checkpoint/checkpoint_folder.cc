#include "core/checkpoint/checkpoint_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/safetensors_header.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr int kManifestVersion = 1;

// Of a file of tensors in place of kChecksum, which stands for the whole file.
constexpr const char* kHeaderChecksum = "header_xxh3";
constexpr const char* kTensorChecksums = "tensors_xxh3";
constexpr const char* kChecksum = "xxh3";

struct ManifestFile {
  std::string name;
  uint64_t size = 0;
  std::string sha256;
  std::optional<uint64_t> checksum;             // neither in a manifest of before there were
  std::optional<SafetensorsChecksums> tensors;  // checksums
};

bool holds_tensors(const std::string& name) { return name.ends_with(".safetensors"); }

// 16 hexadecimal digits; false for anything else.
bool parse_checksum(const Json& json, uint64_t& checksum) {
  if (!json.is_string()) return false;
  const std::string text = json.get<std::string>();
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, checksum, 16);
  return text.size() == 16 && error == std::errc() && rest == end;
}

// Reads the entry's checksums, where it has some; false where they are malformed.
bool parse_checksums(const Json& entry, ManifestFile& file) {
  if (entry.contains(kChecksum)) {
    return parse_checksum(entry.at(kChecksum), file.checksum.emplace());
  }
  if (!entry.contains(kHeaderChecksum)) return true;
  SafetensorsChecksums& sums = file.tensors.emplace();
  if (!parse_checksum(entry.at(kHeaderChecksum), sums.header)) return false;
  if (!entry.contains(kTensorChecksums) || !entry.at(kTensorChecksums).is_array()) return false;
  for (const Json& item : entry.at(kTensorChecksums)) {
    if (!parse_checksum(item, sums.tensors.emplace_back())) return false;
  }
  return true;
}

Json manifest_entry(const fs::path& file) {
  Json entry = {{"size", fs::file_size(file)}, {"sha256", sha256_of_file(file)}};
  if (!holds_tensors(file.filename())) {
    entry[kChecksum] = checksum_text(checksum_of(read_file(file)));
    return entry;
  }
  const SafetensorsChecksums sums = SafetensorsReader(file).checksums();
  entry[kHeaderChecksum] = checksum_text(sums.header);
  Json& tensors = entry[kTensorChecksums] = Json::array();
  for (const uint64_t sum : sums.tensors) tensors.push_back(checksum_text(sum));
  return entry;
}

std::vector<ManifestFile> parse_manifest(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where, ExitCode::kBadModel);
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::kBadModel, where + ": " + problem);
  };
  if (!json.is_object() || !json.contains("files") || !json.at("files").is_object()) {
    fail("key \"files\" must be an object");
  }
  if (!json.contains("version") || json.at("version") != kManifestVersion) {
    fail("the version must be 1; a newer trivium wrote this checkpoint");
  }
  std::vector<ManifestFile> files;
  for (const auto& [name, entry] : json.at("files").items()) {
    if (name.empty() || name.starts_with('.') || name.find('/') != name.npos ||
        !entry.is_object() || !entry.contains("size") || !entry.at("size").is_number_unsigned() ||
        !entry.contains("sha256") || !entry.at("sha256").is_string()) {
      fail("the entry " + quoted_name(name) + " must be a file's name with its size and sha256");
    }
    ManifestFile& file = files.emplace_back();
    file.name = name;
    file.size = entry.at("size").get<uint64_t>();
    file.sha256 = entry.at("sha256").get<std::string>();
    if (!parse_checksums(entry, file)) {
      fail("the checksums of " + quoted_name(name) + " must be of 16 hexadecimal digits each");
    }
  }
  return files;
}

// Lists every file of `folder`, each flushed to the disk first, so that a manifest on the disk
// means that its files are there too.
void write_manifest(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    check(entry.is_regular_file(), "a checkpoint holds files only");
    names.insert(entry.path().filename());
  }
  Json files = Json::object();
  for (const std::string& name : names) {
    sync_path(folder / name);
    files[name] = manifest_entry(folder / name);
  }
  const Json manifest = {{"version", kManifestVersion}, {"files", files}};
  write_file_atomically(folder / kManifestFile, manifest.dump(1) + "\n");
}

// Copies what the old checkpoint's manifest does not name: a README that a person put there.
void copy_unlisted(const fs::path& old, const fs::path& staging) {
  const fs::path manifest = old / kManifestFile;
  if (!fs::exists(manifest)) return;  // an empty folder: check_replaceable
  std::set<std::string> listed = {kManifestFile};
  for (const ManifestFile& file : parse_manifest(read_file(manifest), manifest.string())) {
    listed.insert(file.name);
  }
  for (const auto& entry : fs::directory_iterator(old)) {
    const std::string name = entry.path().filename();
    if (listed.contains(name) || fs::exists(staging / name)) continue;
    fs::copy(entry.path(), staging / name,
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }
}

void check_replaceable(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  if (fs::is_directory(folder) && (fs::is_empty(folder) || fs::exists(folder / kManifestFile)))
    return;
  throw Error(ExitCode::kExists, folder.string() +
                                     " is there and is not a checkpoint; it is left as "
                                     "it is: name another folder");
}

fs::path sibling(const fs::path& folder, const std::string& suffix) {
  fs::path path = folder;
  path += suffix;
  return path;
}

// Removes folders that killed processes left half-written beside `folder`.
void remove_leftovers(const fs::path& folder) {
  const std::string prefix = folder.filename().string() + ".tmp-";
  for (const auto& entry : fs::directory_iterator(folder.parent_path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix)) continue;
    pid_t pid = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, pid);
    const bool alive = parsed.ptr != end || (::kill(pid, 0) == 0 || errno != ESRCH);
    if (!alive || pid == ::getpid()) fs::remove_all(entry.path());
  }
}

// Puts `staging` in the place of `folder`; what was there is gone afterwards.
void put_in_place(const fs::path& staging, const fs::path& folder) {
  if (!fs::exists(folder) || fs::is_empty(folder)) {
    fs::rename(staging, folder);
    sync_path(folder.parent_path());
    return;
  }
  if (::renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) {
    sync_path(folder.parent_path());
    fs::remove_all(staging);
    return;
  }
  // A file system without exchange: for an instant the old checkpoint has another name, which
  // verify_checkpoint_folder tells the user should the machine stop just then.
  const fs::path old = sibling(folder, ".old-" + std::to_string(::getpid()));
  fs::rename(folder, old);
  fs::rename(staging, folder);
  sync_path(folder.parent_path());
  fs::remove_all(old);
}

// ": an interrupted save left it at …" where put_in_place was stopped between its two renames.
std::string interrupted_hint(const fs::path& folder) {
  const fs::path full = fs::weakly_canonical(folder);
  if (!fs::is_directory(full.parent_path())) return "";
  for (const auto& entry : fs::directory_iterator(full.parent_path())) {
    if (entry.path().filename().string().starts_with(full.filename().string() + ".old-")) {
      return "; an interrupted save left it at " + entry.path().string() + ": rename that";
    }
  }
  return "";
}

void verify_file(const fs::path& path, const ManifestFile& file, Verify verify) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::kBadModel, path.string() + problem + "; copy the checkpoint again");
  };
  if (!fs::is_regular_file(path)) fail(" is missing");
  const uint64_t size = fs::file_size(path);
  if (size != file.size) {
    fail(" has " + std::to_string(size) + " bytes where the manifest says " +
         std::to_string(file.size));
  }
  if (file.checksum && checksum_of(read_file(path)) != *file.checksum) {
    fail(" is damaged: its checksum is not the manifest's");
  }
  const bool has_checksums = file.checksum || file.tensors;
  if ((verify == Verify::kHashes || !has_checksums) && sha256_of_file(path) != file.sha256) {
    fail(" is damaged: its SHA-256 is not the manifest's");
  }
}

}  // namespace

void replace_checkpoint_folder(const fs::path& folder,
                               const std::function<void(const fs::path&)>& write) {
  try {
    fs::path target = fs::weakly_canonical(fs::absolute(folder));
    if (!target.has_filename()) target = target.parent_path();
    check_replaceable(target);
    fs::create_directories(target.parent_path());
    remove_leftovers(target);
    const fs::path staging = sibling(target, ".tmp-" + std::to_string(::getpid()));
    try {
      fs::create_directory(staging);
      write(staging);
      write_manifest(staging);
      copy_unlisted(target, staging);
      sync_path(staging);
      put_in_place(staging, target);
    } catch (...) {
      std::error_code ignored;
      fs::remove_all(staging, ignored);
      throw;
    }
  } catch (const fs::filesystem_error& e) {
    throw Error(ExitCode::kIo, "cannot save " + folder.string() + ": " + e.code().message());
  }
}

std::vector<std::string> checkpoint_files(const fs::path& folder) {
  const fs::path manifest = folder / kManifestFile;
  std::vector<std::string> names;
  for (const ManifestFile& file : parse_manifest(read_file(manifest), manifest.string())) {
    names.push_back(file.name);
  }
  return names;
}

CheckpointManifest verify_checkpoint_folder(const fs::path& folder, Verify verify) {
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput,
                folder.string() + " is a file; a checkpoint is a folder, name that");
  }
  if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput,
                "there is no checkpoint " + folder.string() + interrupted_hint(folder));
  }
  const fs::path manifest = folder / kManifestFile;
  if (!fs::exists(manifest)) {
    throw Error(ExitCode::kMissingInput,
                folder.string() + " has no " + kManifestFile +
                    ": it is not a checkpoint (trivium import makes one of a Hugging Face folder)");
  }
  CheckpointManifest found{read_file(manifest), {}, {}};
  std::string hashes;
  for (const ManifestFile& file : parse_manifest(found.text, manifest.string())) {
    verify_file(folder / file.name, file, verify);
    if (file.tensors) found.tensors[file.name] = *file.tensors;
    if (holds_tensors(file.name)) hashes += file.name + ' ' + file.sha256 + '\n';
  }
  found.weights_id = checksum_text(checksum_of(hashes));
  return found;
}

size_t verify_every_byte(const fs::path& folder) {
  const CheckpointManifest manifest = verify_checkpoint_folder(folder, Verify::kHashes);
  for (const auto& [name, sums] : manifest.tensors) {
    const SafetensorsReader reader(folder / name, sums);
    for (const TensorEntry& entry : reader.entries()) {
      std::vector<std::byte> bytes(entry.size());
      reader.read(entry, bytes);
    }
  }
  return checkpoint_files(folder).size();
}

}  // namespace trivium
