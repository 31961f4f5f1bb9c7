#include "inspection/compile/database_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "inspection/compile/sha256.h"
#include "inspection/events/eve_text.h"

namespace weir::inspection {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFormat = "weir databases 1";  // changes when the files do
constexpr std::string_view kEnding = ".hsdb";
constexpr size_t kDigest = std::tuple_size_v<Sha256::Digest>;
constexpr uint64_t kMostFile = uint64_t{1} << 30;

/// With its length, so that no two lists of texts are the same bytes.
void add_text(Sha256& hash, std::string_view text) {
  const uint64_t size = text.size();
  hash.add({reinterpret_cast<const char*>(&size), sizeof size});
  hash.add(text);
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

bool read_all(int descriptor, std::span<char> out) {
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = ::read(descriptor, out.data() + done, out.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool write_all(int descriptor, std::span<const char> bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

std::string why() { return std::strerror(errno); }

/// What databases of this process hang on beside their literals.
Result<std::string> platform() {
  hs_platform_info_t info{};
  if (hs_populate_platform(&info) != HS_SUCCESS)
    return fail(ErrorCode::internal, "Hyperscan does not tell what it compiles for");
  return std::string(kFormat) + '\n' + hs_version() + '\n' + std::to_string(info.tune) + '\n' +
         std::to_string(info.cpu_features);
}

struct FreeSerialized {
  void operator()(char* bytes) const { std::free(bytes); }
};

}  // namespace

Result<std::unique_ptr<DatabaseCache>> DatabaseCache::open(const fs::path& folder, uint64_t most_bytes) {
  auto on = platform();
  if (!on) return tl::unexpected(std::move(on).error());
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(ErrorCode::io, "the folder " + folder.string() + " cannot be made: " + why());
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return fail(ErrorCode::io, folder.string() + " is not a folder");
  if (info.st_uid != ::geteuid() || (info.st_mode & 022) != 0)
    return fail(ErrorCode::io, "the folder " + folder.string() +
                                   " is another user's, or others may write to it: compiled rules in it "
                                   "cannot be trusted");
  return std::unique_ptr<DatabaseCache>(new DatabaseCache(folder, most_bytes, std::move(*on)));
}

std::optional<std::string> DatabaseCache::name_of(std::span<const Literal> literals) const {
  Sha256 hash;
  add_text(hash, platform_);
  for (const Literal& literal : literals) {
    add_text(hash, literal.nocase ? "i" : "c");
    add_text(hash, literal.bytes);
  }
  const auto digest = hash.end();
  if (!digest) return std::nullopt;
  return to_hex(*digest) + std::string(kEnding);
}

Result<DatabasePtr> DatabaseCache::get(std::span<const Literal> literals) {
  const auto name = name_of(literals);
  if (name) {
    {
      const std::lock_guard lock(mutex_);
      asked_.insert(*name);
    }
    if (DatabasePtr database = load(*name); database != nullptr) {
      ++loaded_;
      return database;
    }
  }
  auto database = compile_database(literals);
  if (!database) return database;
  ++compiled_;
  if (name) store(*name, **database);
  return database;
}

/// Null: there is none, or it is not usable.
DatabasePtr DatabaseCache::load(const std::string& name) {
  const fs::path path = folder_ / name;
  const auto unusable = [&](const std::string& because) -> DatabasePtr {
    note(path.string() + " " + because + ": compiled again");
    return nullptr;
  };
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) {
    if (errno == ENOENT) return nullptr;
    return unusable("cannot be read (" + why() + ")");
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return unusable("cannot be read (" + why() + ")");
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077) != 0)
    return unusable("is not this user's alone");
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size <= kDigest || size > kMostFile) return unusable("has no length that a database has");
  std::vector<char> bytes(size);
  if (!read_all(file.get(), bytes)) return unusable("cannot be read to its end");
  const std::span<const char> body = std::span(bytes).subspan(kDigest);
  Sha256 hash;
  hash.add({body.data(), body.size()});
  const auto digest = hash.end();
  if (!digest || std::memcmp(digest->data(), bytes.data(), kDigest) != 0)
    return unusable("does not have the content that it was written with");
  hs_database_t* raw = nullptr;
  const hs_error_t code = hs_deserialize_database(body.data(), body.size(), &raw);
  DatabasePtr database(raw);
  if (code != HS_SUCCESS) return unusable("is not taken by Hyperscan (code " + std::to_string(code) + ")");
  ::futimens(file.get(), nullptr);  // used now; for prune(), which is no worse without
  return database;
}

void DatabaseCache::store(const std::string& name, const hs_database_t& database) {
  const fs::path path = folder_ / name;
  const auto lost = [&](const std::string& because) {
    note(path.string() + " cannot be written: " + because);
  };
  char* raw = nullptr;
  size_t size = 0;
  if (hs_serialize_database(&database, &raw, &size) != HS_SUCCESS)
    return lost("Hyperscan does not serialise the database");
  const std::unique_ptr<char, FreeSerialized> body(raw);
  Sha256 hash;
  hash.add({body.get(), size});
  const auto digest = hash.end();
  if (!digest) return lost("its digest cannot be made");
  // Written beside it and then moved, so that nobody finds a half of it.
  std::string beside = (folder_ / "new-XXXXXX").string();
  const File file(::mkstemp(beside.data()));  // 0600
  if (file.get() < 0) return lost(why());
  const bool written = write_all(file.get(), {reinterpret_cast<const char*>(digest->data()), kDigest}) &&
                       write_all(file.get(), {body.get(), size});
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0) {
    lost(why());
    ::unlink(beside.c_str());
  }
}

void DatabaseCache::prune() {
  struct Entry {
    fs::file_time_type used;
    uint64_t size;
    fs::path path;
  };
  const std::lock_guard lock(mutex_);
  std::vector<Entry> others;
  uint64_t sum = 0;
  std::error_code error;
  for (auto at = fs::directory_iterator(folder_, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.ends_with(kEnding) && !name.starts_with("new-")) continue;
    std::error_code gone;
    const uint64_t size = at->file_size(gone);
    const auto used = at->last_write_time(gone);
    if (gone) continue;
    sum += size;
    if (!asked_.contains(name)) others.push_back({used, size, at->path()});
  }
  std::ranges::sort(others, {}, &Entry::used);
  for (const Entry& entry : others) {
    if (sum <= most_bytes_) break;
    if (fs::remove(entry.path, error)) sum -= entry.size;
  }
}

void DatabaseCache::note(std::string sentence) {
  const std::lock_guard lock(mutex_);
  notes_.push_back(std::move(sentence));
}

DatabaseCache::Outcome DatabaseCache::outcome() const {
  const std::lock_guard lock(mutex_);
  return {loaded_, compiled_, notes_};
}

}  // namespace weir::inspection
