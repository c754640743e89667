# Reads exported grades by the packages that they are for: Rscript read_export.R PACKAGE FILE
# Prints the area under the curve by treatment, averaged over readers, a line each.
arguments <- commandArgs(trailingOnly = TRUE)
if (arguments[1] == "iMRMC") {
  found <- iMRMC::doIMRMC(arguments[2])$Ustat
  found <- found[found$modalityB == "NO_MOD", c("modalityA", "AUCA")]
} else {
  library(MRMCaov)
  grades <- read.csv(arguments[2])
  study <- mrmc(empirical_auc(truth, rating), treatment, reader, case, data = grades)
  summary(study) # the comparison of treatments, which fails where the grades are no design
  found <- aggregate(study$data[[1]], study$data["treatment"], mean)
}
write.table(found, sep = ",", row.names = FALSE, col.names = FALSE, quote = FALSE)
