package vitals

import (
	"context"
	"database/sql"
	"path"
	"strconv"
	"strings"
	"syscall"

	"paytool/internal/shard/doctor"
)

// disks asks the server, where MariaDB's plugin disks tells, and reads them here
// where the server runs on this machine.
func (r *reader) disks(ctx context.Context, conn *sql.Conn) {
	folders := r.folders()
	listed, err := table(ctx, conn, "SELECT Path, Total, Available FROM information_schema.disks")
	switch {
	case err == nil && len(listed) > 0:
		r.node.Disks = listedDisks(listed, folders)
	case r.host != "" && r.host == r.node.Variables["hostname"]:
		r.node.Disks = localDisks(folders)
	}
	if len(r.node.Disks) == 0 {
		r.node.DisksUnknown = "the server does not tell, and it is not on this machine"
	}
}

// folders are where the server keeps data and binlog.
func (r *reader) folders() (folders []string) {
	if dir := r.node.Variables["datadir"]; dir != "" {
		folders = append(folders, path.Clean(dir))
	}
	if base := r.node.Variables["log_bin_basename"]; base != "" && len(folders) > 0 && path.Dir(base) != folders[0] {
		folders = append(folders, path.Dir(base))
	}
	return folders
}

// listedDisks picks, for each folder, the file system that it lies on.
func listedDisks(listed []doctor.Values, folders []string) (disks []doctor.Disk) {
	for _, folder := range folders {
		var best doctor.Disk
		for _, row := range listed {
			mount := row["path"]
			total, err1 := strconv.ParseUint(row["total"], 10, 64)
			free, err2 := strconv.ParseUint(row["available"], 10, 64)
			if err1 == nil && err2 == nil && below(folder, mount) && len(mount) >= len(best.Path) {
				best = doctor.Disk{Path: mount, Total: total << 10, Free: free << 10} // from KiB
			}
		}
		if best.Path != "" && (len(disks) == 0 || disks[0].Path != best.Path) {
			disks = append(disks, best)
		}
	}
	return disks
}

func below(folder, mount string) bool {
	return mount == "/" || folder == mount || strings.HasPrefix(folder, mount+"/")
}

// localDisks leaves out what this machine does not have: two machines may have one
// name.
func localDisks(folders []string) (disks []doctor.Disk) {
	for _, folder := range folders {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(folder, &fs); err != nil || fs.Bsize <= 0 {
			continue
		}
		block := uint64(fs.Bsize)
		// Blocks that are kept for root are none of the server's.
		disks = append(disks, doctor.Disk{Path: folder, Total: (fs.Blocks - fs.Bfree + fs.Bavail) * block, Free: fs.Bavail * block})
	}
	return disks
}
