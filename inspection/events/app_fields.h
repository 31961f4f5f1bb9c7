// What events say of a transaction, as fields (event_fields.h): EVE's objects `http`, `tls`, `dns`,
// `smtp` with `email`, `ftp`, `ftp_data`, and the files of an exchange. Worker thread; allocates nothing.
#pragma once

#include "inspection/app/http/transaction.h"
#include "inspection/app/transaction.h"
#include "inspection/events/event_fields.h"

namespace weir::inspection {

/// The object of its protocol; nothing of protocols that have none.
void write_transaction(FieldWriter& fields, Transaction& transaction);

/// EVE's `fileinfo` of one file of the transaction; in an alert, behind Field::file_begin, one of its
/// `files`.
void write_file(FieldWriter& fields, const Transaction& transaction, const AppFile& file);

/// The one address of a field like X-Forwarded-For that counts: the last one, which a reverse proxy has
/// added, or the first one, behind a forward proxy. Without blanks around it; empty if there is none.
std::string_view forwarded_for(std::string_view list, bool last);

}  // namespace weir::inspection
