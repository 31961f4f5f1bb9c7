// What a configuration file says otherwise than before, as part of a transaction: what a reload changes.
#pragma once

#include <memory>

#include "mgmt/config/config.h"
#include "mgmt/config/diff.h"
#include "mgmt/model/transaction.h"

namespace weir::model {

/// Immutable once made, so it may be made on another thread than the transaction's: with a million routes
/// that takes a while.
class FileChanges {
 public:
  /// `before`: the file as it was read the last time; null: never, so all is new.
  FileChanges(std::shared_ptr<const config::Config> before, std::shared_ptr<const config::Config> now);

  /// `transaction` is of Origin::file, and keeps nothing of this.
  void add_to(Transaction& transaction) const;
  bool empty() const;

 private:
  std::shared_ptr<const config::Config> before_, now_;
  config::Difference<config::Domain> domains_;
  config::Difference<config::Attachment> attachments_;
  config::Difference<config::Route> routes_;
  config::Difference<config::Connection> connections_;
  config::Difference<config::Group> groups_;
  bool policy_ = false, nat_ = false;
};

}  // namespace weir::model
