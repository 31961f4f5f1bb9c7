#include "inspection/app/file_list.h"

#include <cstddef>
#include <cstring>
#include <utility>

namespace weir::inspection {

bool FileList::open(std::string_view name) {
  close(true);
  window_.reset();
  open_ = any_ = true;
  counted_ = count() < limits_.multipart_files;
  if (!counted_) return true;
  Entry made;
  made.name_at = static_cast<uint32_t>(names_.size());
  made.name_size = static_cast<uint32_t>(name.size());
  made.hashes = limits_.file_hashes;
  if (made.hashes != 0 && (hash_ = make_in<http::FileHash>(pool_, made.hashes)) == nullptr) return false;
  magics_.open(count(), pool_, awaited_, limits_);
  return names_.append(http::as_bytes(name)) &&
         entries_.append({reinterpret_cast<const uint8_t*>(&made), sizeof made});
}

bool FileList::append(std::span<const uint8_t> bytes) {
  if (!open_) return true;
  if (!window_.append(bytes, limits_)) return false;
  if (!counted_) return true;
  Entry last = entry(count() - 1);
  last.size += bytes.size();
  if (hash_ != nullptr && !last.gaps) hash_->update(bytes);
  magics_.add(bytes, limits_);
  put(count() - 1, last);
  return true;
}

void FileList::gap(uint64_t size) {
  if (!open_) return;
  window_.gap(size);
  if (!counted_) return;
  Entry last = entry(count() - 1);
  last.size += size;
  last.gaps = true;
  magics_.end(limits_);
  put(count() - 1, last);
}

void FileList::close(bool truncated) {
  if (!std::exchange(open_, false)) return;
  window_.complete();
  if (!counted_) return;
  Entry last = entry(count() - 1);
  last.state = truncated || last.gaps ? AppFile::State::truncated : AppFile::State::closed;
  if (hash_ != nullptr) last.digests = hash_->finish();
  destroy_in(pool_, std::exchange(hash_, nullptr));
  magics_.end(limits_);
  put(count() - 1, last);
}

AppFile FileList::file(size_t index) const {
  const Entry e = entry(index);
  return {.name = http::as_text(names_.view()).substr(e.name_at, e.name_size),
          .size = e.size,
          .state = e.state,
          .gaps = e.gaps,
          .hashes = e.hashes,
          .digests = e.digests,
          .magic = magics_.text(index),
          .awaits_magic = magics_.waits(index)};
}

std::optional<BufferView> FileList::name(uint32_t index) const {
  if (index >= count()) return std::nullopt;
  const Entry e = entry(index);
  return BufferView{.bytes = names_.view().subspan(e.name_at, e.name_size)};
}

std::optional<BufferView> FileList::data(Reader reader) const {
  if (!any_) return std::nullopt;
  return window_.view(reader);
}

std::optional<std::span<const uint8_t>> FileList::digest(FileDigest kind, uint32_t index) const {
  if (index >= count()) return std::nullopt;
  const Entry e = entry(index);
  if (e.state != AppFile::State::closed || (e.hashes & 1U << static_cast<unsigned>(kind)) == 0)
    return std::nullopt;
  const std::span<const uint8_t> digests =
      entries_.view().subspan(index * sizeof(Entry) + offsetof(Entry, digests));
  switch (kind) {
    case FileDigest::md5:
      return digests.subspan(offsetof(FileDigests, md5), e.digests.md5.size());
    case FileDigest::sha1:
      return digests.subspan(offsetof(FileDigests, sha1), e.digests.sha1.size());
    case FileDigest::sha256:
      return digests.subspan(offsetof(FileDigests, sha256), e.digests.sha256.size());
  }
  return std::nullopt;
}

FileList::Entry FileList::entry(size_t index) const {
  Entry e;
  std::memcpy(&e, entries_.view().data() + index * sizeof e, sizeof e);
  return e;
}

void FileList::put(size_t index, const Entry& entry) {
  std::memcpy(entries_.bytes().data() + index * sizeof entry, &entry, sizeof entry);
}

}  // namespace weir::inspection
